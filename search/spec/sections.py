"""The sections of a spec: their keys, types and defaults, each one a frozen pydantic model.

Checks what concerns one section. What concerns two, or the catalog, is in `checks.py`.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    create_model,
)

from models.catalog import Value, catalog_name, data_kind, guess_kind
from models.data.settings import KEYS, DataSettings
from models.hyperparameters.hyperparameter import Counted, NotNegative, Positive, Whole, read_whole
from models.kinds import Kind
from search.objectives.objective import RoleName

# Parquet files and the columns of a report hold 64-bit integers.
LARGEST_INTEGER = 2**63 - 1
# The first rung of a scheduler that has no history: one reduction by 3 from the first epoch.
USUAL_GRACE = 3
# Names are used in MLflow, file names and dotted keys.
NAME = r"^[A-Za-z_][A-Za-z0-9_.]*$"
NAME_RULE = "may hold letters, digits, `_` and `.` only, and starts with a letter"


def _read_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ValueError("must be between -2**63 and 2**63")
    elif not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _read_value(value: Any) -> Value:
    if isinstance(value, bool | str):
        return value
    if not isinstance(value, int | float):
        raise ValueError("must be a number, true or false, or text")
    return _read_number(value)


def _read_counted_or_auto(value: Any) -> int | str:
    number = read_whole(value)
    if value != "auto" and (type(number) is not int or number < 1):
        raise ValueError("must be a whole number of 1 or more, or auto")
    return "auto" if value == "auto" else int(number)


def _read_digest(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(sha256:[0-9a-f]{16})?", value):
        raise ValueError("must be a digest as a stored spec has it, or empty")
    return value


def _listed(value: Any) -> Any:
    """Read `when: {optimizer: sgd}` as a list of one."""
    if not isinstance(value, dict):
        return value
    return {
        parent: values if isinstance(values, list | tuple) else (values,)
        for parent, values in value.items()
    }


Number = Annotated[int | float, PlainValidator(_read_number)]
CheckedValue = Annotated[Value, PlainValidator(_read_value)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# CoNLL columns have numbers.
Column = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
Name = Annotated[str, Field(pattern=NAME)]
# Folders are called so. A file system takes 255 bytes, of which a search's id adds 15 and lock
# files a few more.
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=200)]


class Part(BaseModel):
    """A section of a spec: frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# The types of the settings that are no plain text.
_DATA_TYPES: dict[str, Any] = {
    "targets": dict[str, str],
    "kind": Kind,
    "splits": dict[Literal["train", "validation", "test"], str | float],
    "text_column": Column,
    "label_column": Column,
    "train_examples": Counted,
    "image_size": Counted,
    "split_seed": NotNegative,
    "deduplicate": StrictBool,
    "without": list[str],
}
# The keys of `task.data` and their meanings are those of the data's own settings.
_data_fields: dict[str, Any] = {key: (_DATA_TYPES.get(key, str) | None, None) for key in KEYS}
Data = create_model("Data", __base__=Part, __doc__=DataSettings.__doc__, **_data_fields)


class Task(Part):
    """The data set, and what is trained on it: exactly one of `model`, `network` and `train`.

    Attributes:
        name: The first part of the task's id; by default data set and model.
        data: A name, a file or folder, `hub:NAME`, or the keys of `task.data`; empty if a training
            function needs none.
        model: A model of the catalog.
        network: Your own network: `python:package.module:function`, which builds it.
        train: Your own training function: `python:package.module:function`.
        base: The pretrained model to fine-tune: a folder, `hub:NAME[@REVISION]` or
            `package:MODULE`. A network of your own for texts has one, too, whose tokenizer it uses.
        settings: Hyperparameters fixed for the whole search.
    """

    name: FolderName = ""
    data: dict[str, Any] = Field(default_factory=dict)
    model: str | None = None
    network: str | None = None
    train: str | None = None
    base: str | None = None
    settings: dict[Name, CheckedValue] = Field(default_factory=dict)

    @property
    def is_function(self) -> bool:
        """Whether the user's own function trains."""
        return self.train is not None

    @property
    def code(self) -> str:
        """The user's own function that builds the network or trains; "" for a model."""
        return self.network or self.train or ""

    @property
    def trains(self) -> str:
        """What is trained, as the spec names it."""
        return self.model or self.code

    @property
    def catalog_name(self) -> str:
        """The catalog's name of what is trained; "" for a training function."""
        return catalog_name(self.model, self.network, self.base)

    def data_kind(self) -> str:
        """Return the kind of its data: the model's; of a training function what they look like.

        Raises:
            DataError: the data of a training function cannot be opened.
        """
        return guess_kind(self.data) if self.is_function else data_kind(self.catalog_name)


class ObjectiveKeys(Part):
    """An objective as a spec writes it: the keys of `search.objectives.Objective`.

    Attributes:
        metric: A metric of the model; `accuracy.robust`, of entities `f1.robust`, stands for the
            one that `robustness` names.
        direction: Whether more of it is better; a cost, a loss or an accuracy has its own, which
            counts if this key is left out, and no model of ours may have another one.
        role: The first objective's is always `pareto`.
        bound: The least legal value of a maximised constraint, the largest of a minimised one.
        tolerance: How far behind the best value of the first objective a trial may be for a
            lexicographic objective to decide.
    """

    metric: Name
    direction: Literal["maximize", "minimize"] | None = None
    role: RoleName = "pareto"
    bound: Finite | None = None
    tolerance: Annotated[Finite, Field(ge=0)] | None = None


class HyperparameterSpec(Part):
    """One hyperparameter to search.

    Attributes:
        type: `bool` is short for a categorical of false and true.
        low: Least value of a float or int.
        high: Greatest value, inclusive.
        log: Whether the logarithm is drawn uniformly.
        step: Distance between values of a grid that starts at `low`.
        choices: Values of a categorical; a single one is a constant, which every trial has.
        when: Parent to the values under which this one is active; all parents must have one.
    """

    type: Literal["float", "int", "categorical", "bool"]
    low: Number | None = None
    high: Number | None = None
    log: StrictBool = False
    step: Number | None = None
    choices: tuple[CheckedValue, ...] | None = None
    when: Annotated[dict[str, tuple[CheckedValue, ...]], BeforeValidator(_listed)] = Field(
        default_factory=dict
    )

    def distribution(self) -> BaseDistribution:
        """Return the hyperparameter as an Optuna distribution."""
        if self.type == "bool":
            return CategoricalDistribution((False, True))
        if self.type == "categorical":
            assert self.choices is not None
            return CategoricalDistribution(self.choices)
        assert self.low is not None and self.high is not None
        if self.type == "int":
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return IntDistribution(low, high, log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)


class Budget(Part):
    """When a search ends: after so many trials of so many epochs, so many hours, or earlier.

    Attributes:
        trials: The number of trials, whatever becomes of them; an upper limit under `stop: auto`.
        epochs: The epochs of a trial that is not stopped early.
        hours: The time after which a launch ends, its running trials settled.
        epoch_minutes: An epoch (or set-up) that takes longer counts as hanging: its worker is
            ended, with a traceback in the trial's folder, and the trial is retried from its
            checkpoint. Two hours is more than any epoch that a search of many trials can afford,
            and with three attempts a hang costs less than an unattended night. Raise it for longer
            epochs.
        failures_alike: After so many trials in a row have failed with the same error at the same
            place the search stops and is `failed`; `resume` runs them again. Once a trial has not
            failed it takes three times as many. 0 never stops it.
        stop: `auto` ends a search of a task that was searched before once its best known trial was
            trained again and the model expects no more from the trials left than noise, or too
            little for what trials of this task brought; `never` runs all trials, as `--trials N`
            does.
    """

    trials: Counted
    epochs: Counted
    hours: Positive | None = None
    epoch_minutes: Positive = 120.0
    failures_alike: NotNegative = 3
    stop: Literal["auto", "never"] = "auto"


class Resources(Part):
    """The number of parallel trials, and the resources of one trial.

    Attributes:
        parallelism: `auto` for as many as fit: on one machine all its cores, on a cluster as many
            as its current nodes take.
        cpus: CPU cores of one trial.
        gpus: May be a fraction below 1.
        memory_gb: Memory that one trial requests from Ray.
        accelerator: The kind of GPU, as Ray names it (`A10G`, `L4`, `H100`), for a cluster with
            several kinds.
    """

    parallelism: Annotated[int | Literal["auto"], PlainValidator(_read_counted_or_auto)] = 1
    cpus: Positive = 1.0
    gpus: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 0.0
    memory_gb: Positive | None = None
    accelerator: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] | None = None


class Sampler(Part):
    """The sampler that proposes configurations.

    Attributes:
        name: `warm` learns from history; the others are Optuna's and learn from no other search.
        options: Those of `checks.SAMPLER_OPTIONS`.
    """

    name: Literal["warm", "tpe", "gp", "random"] = "warm"
    options: dict[str, Any] = Field(default_factory=dict)


class Scheduler(Part):
    """The scheduler that stops trials: after `grace_epochs`, all but one in `reduction_factor`.

    Attributes:
        name: `none` stops no trial: by rank among its own trials a warm search stops the good ones
            (docs/concepts/early_stopping.md). `multi_objective_asha` ranks by all objectives,
            `asha` by the first one.
        grace_epochs: The first rung: no trial is stopped for its rank before this epoch. `auto`
            takes it from history: the earliest epoch from which on past curves of this task, or of
            similar ones, rank as their ends do; `review` and `run` say which. Where fewer than 20
            curves of a task are known it is 3. The stored spec of a search has the number.
        reduction_factor: At a rung the best 1/reduction_factor continue; the next rung is at so
            many times its epochs.
    """

    name: Literal["none", "multi_objective_asha", "asha"] = "none"
    grace_epochs: Annotated[int | Literal["auto"], PlainValidator(_read_counted_or_auto)] = "auto"
    reduction_factor: Annotated[Whole, Field(ge=2)] = 3

    def first_rung(self, epochs: int) -> int:
        """Return the first rung of trials of so many epochs, without history if it is `auto`."""
        if self.grace_epochs == "auto":
            return min(USUAL_GRACE, epochs)
        return int(self.grace_epochs)

    @property
    def options(self) -> dict[str, int | str]:
        """The scheduler's options without its name; empty for `none`."""
        if self.name == "none":
            return {}
        return {"grace_epochs": self.grace_epochs, "reduction_factor": self.reduction_factor}


class HistorySettings(Part):
    """The earlier trials that a search may learn from.

    Attributes:
        enabled: False starts without history.
        experiments: Names of MLflow experiments, `*` and `?` as in a shell.
        rename: Hyperparameter as logged to its name in this space.
        rename_metrics: Metric as logged to its name in this search.
        same_task: Names of experiments, `*` and `?` as in a shell, whose runs have this same task:
            data, model, epochs. Runs of other tools do not record it.
        searches: Ids of the only searches to learn from; all by default. A search that has begun
            has them in its stored spec.
        digest: The digest of their trials, also in a stored spec; a search with another history
            does not start. Empty: any history.
    """

    enabled: StrictBool = True
    experiments: tuple[str, ...] = ("*",)
    rename: dict[str, str] = Field(default_factory=dict)
    rename_metrics: dict[str, str] = Field(default_factory=dict)
    same_task: tuple[str, ...] = ()
    searches: tuple[str, ...] | None = None
    digest: Annotated[str, PlainValidator(_read_digest)] = ""

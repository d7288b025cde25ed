"""The parts of a spec: their keys, types and defaults, each one frozen pydantic model.

For what can be judged inside one part. What needs two parts, or the catalog, is in
`checks.py`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
)

from models.catalog import Value
from models.hyperparameters.hyperparameter import Counted, NotNegative, Positive, Whole, read_whole

# Names reach MLflow, file names and attribute-like keys; see also `checks.py`.
NAME = r"^[A-Za-z_][A-Za-z0-9_.]*$"


def _read_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _read_value(value: Any) -> Value:
    if isinstance(value, bool | str):
        return value
    if not isinstance(value, int | float):
        raise ValueError("must be a number, true or false, or text")
    return _read_number(value)


def _check_gpus(number: float) -> float:
    """Ray shares one GPU among trials, but gives one trial whole ones only."""
    if number > 1 and not number.is_integer():
        raise ValueError("must be a whole number above 1")
    return number


def _read_parallelism(value: Any) -> int | str:
    number = read_whole(value)
    is_count = isinstance(number, int) and not isinstance(number, bool) and number >= 1
    if not is_count and value != "auto":
        raise ValueError("must be an integer of 1 or more, or auto")
    return "auto" if value == "auto" else int(number)


def _listed(value: Any) -> Any:
    """`when: {optimizer: sgd}` is short for a list of one."""
    if isinstance(value, dict):
        return {
            parent: values if isinstance(values, list | tuple) else (values,)
            for parent, values in value.items()
        }
    return value


Number = Annotated[int | float, PlainValidator(_read_number)]
CheckedValue = Annotated[Value, PlainValidator(_read_value)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=NAME)]


class Part(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Data(Part):
    """Where examples come from: exactly one of the first four.

    Attributes:
        targets: Target, in words, to a folder of texts about it: pairs to classify.
        deduplicate: Whether training texts that repeat, or stand in another split, are dropped.
        without: Folders of other data sets; training texts that they judge by are dropped.
    """

    name: str | None = None
    parquet: str | None = None
    hub: str | None = None
    targets: dict[str, str] | None = None
    train_examples: Counted | None = None
    image_size: Counted | None = None
    split_seed: NotNegative | None = None
    deduplicate: StrictBool | None = None
    without: tuple[str, ...] | None = None


class Task(Part):
    """What is learned, and by which model.

    Attributes:
        name: Leads the task's id; by default data set and model.
        data: As `models.catalog.describe_data` takes it; empty if a training function needs none.
        model: A name in the catalog, or `python:package.module:function`.
        base: Where the pretrained model of a fine-tuning is: a folder, `hub:NAME[@REVISION]` or
            `package:MODULE`.
        settings: Hyperparameters fixed for the whole search.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = ""
    data: dict[str, Any] = Field(default_factory=dict)
    model: str
    base: str | None = None
    settings: dict[Name, CheckedValue] = Field(default_factory=dict)

    @property
    def is_function(self) -> bool:
        """Whether the model is the user's own training function."""
        return self.model.startswith("python:")


class ObjectiveKeys(Part):
    """An objective as a spec writes it: the keys of `search.objectives.Objective`.

    Attributes:
        role: The first objective's is always `pareto`.
        bound: Of a constraint: the least value if it is maximised, the largest if minimised.
        tolerance: Of a lexicographic one: how far behind the best value of the first objective a
            trial may be for this one to decide.
    """

    metric: Name
    direction: Literal["maximize", "minimize"]
    role: Literal["pareto", "constraint", "lexicographic", "report"] = "pareto"
    bound: Finite | None = None
    tolerance: Annotated[Finite, Field(ge=0)] | None = None


class HyperparameterSpec(Part):
    """One hyperparameter to search.

    Attributes:
        type: `bool` is short for a categorical of false and true.
        low: Least value, of float and int.
        high: Greatest value, inclusive.
        log: Whether magnitudes are drawn uniformly.
        step: Distance of a grid that starts at `low`.
        choices: Values of a categorical.
        when: Parent to the values under which this one is active; every parent must agree.
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
        """The same as an Optuna distribution."""
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
    """When a search ends: after so many trials of so many epochs, or after so many hours.

    Attributes:
        epoch_minutes: An epoch (or set-up) that takes longer hangs: its worker is ended, with a
            traceback in the trial's folder, and the trial is tried again from its checkpoint. Two
            hours is more than any epoch that a search of many trials can afford, and with three
            attempts a hang costs less than the night that nobody looks. Raise it for longer epochs.
    """

    trials: Counted
    epochs: Counted
    hours: Positive | None = None
    epoch_minutes: Positive = 120.0


class Resources(Part):
    """Trials at once, and what one trial gets.

    Attributes:
        parallelism: `auto` for as many as there is room for: on one machine all its cores, on a
            cluster whatever it grows and shrinks to.
        gpus: May be a share of one.
        accelerator: The kind of GPU, as Ray names it (`A10G`, `L4`, `H100`), where a cluster has
            several.
    """

    parallelism: Annotated[int | Literal["auto"], PlainValidator(_read_parallelism)] = 1
    cpus: Positive = 1.0
    gpus: Annotated[
        float, Field(strict=True, ge=0, allow_inf_nan=False), AfterValidator(_check_gpus)
    ] = 0.0
    memory_gb: Positive | None = None
    accelerator: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] | None = None


class Sampler(Part):
    """What proposes configurations; options as in `checks.SAMPLER_OPTIONS`."""

    name: Literal["warm", "tpe", "gp", "random"] = "warm"
    options: dict[str, Any] = Field(default_factory=dict)


class Scheduler(Part):
    """What stops hopeless trials: after `grace_epochs`, all but one in `reduction_factor`."""

    name: Literal["multi_objective_asha", "asha", "none"] = "multi_objective_asha"
    grace_epochs: Counted = 3
    reduction_factor: Annotated[Whole, Field(ge=2)] = 3

    @property
    def options(self) -> dict[str, int]:
        """The scheduler's options without its name; none for `none`."""
        if self.name == "none":
            return {}
        return {"grace_epochs": self.grace_epochs, "reduction_factor": self.reduction_factor}


class HistorySettings(Part):
    """Which earlier trials a search may learn from.

    Attributes:
        enabled: False starts from nothing.
        experiments: Names of MLflow experiments, `*` and `?` as in a shell.
        rename: Hyperparameter as logged to its name in this space.
        rename_metrics: Metric as logged to its name among this search's.
        same_task: Names of experiments, `*` and `?` as in a shell, whose runs are of this very
            task: data, model, epochs. Runs of other tools do not say so themselves.
    """

    enabled: StrictBool = True
    experiments: tuple[str, ...] = ("*",)
    rename: dict[str, str] = Field(default_factory=dict)
    rename_metrics: dict[str, str] = Field(default_factory=dict)
    same_task: tuple[str, ...] = ()

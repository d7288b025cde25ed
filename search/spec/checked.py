"""Spec: a search that was checked, frozen: what it says, and what follows from it.

For writing it as YAML, for the identity of its task, and for what each of its trials trains with.
Not for reading and checking one (`file.py`) nor for Optuna's view of the space
(`search/space/space.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from models import catalog
from models.catalog import AnyThreat, DataDescription, TextDescription, TextThreat, Threat, Value
from models.hyperparameters.hyperparameter import Whole
from models.networks.base_model import BaseModel
from search.objectives import Objective
from search.space import SearchSpace
from search.spec.initial_weights import INITIAL_WEIGHTS, InitialWeightsKeys, choices
from search.spec.parts import (
    Budget,
    HistorySettings,
    HyperparameterSpec,
    ObjectiveKeys,
    Part,
    Resources,
    Sampler,
    Scheduler,
    Task,
)
from search.spec.reading import Dumper

SearchName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
# numpy's legacy seeding, which scikit-learn and Optuna use, takes 32 bits.
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down: YAML's safe form has no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _written(objective: Objective) -> dict[str, Any]:
    """An objective as the keys of a spec, without those that have their defaults."""
    role = objective.role
    keys = {"metric": objective.metric, "direction": objective.direction, "role": role.name}
    return ObjectiveKeys.model_validate(
        keys | {"bound": role.bound, "tolerance": role.tolerance}
    ).model_dump(exclude_defaults=True)


class Spec(Part):
    """A checked search. Build it with `load_spec` or `spec_from_yaml`, which check everything.

    Attributes:
        name: What people call the search.
        task: Data set, model and fixed hyperparameters.
        objectives: The first is the primary one.
        space: Name to hyperparameter, in the file's order.
        budget: Trials, epochs of each, hours.
        resources: Trials at once, and what one gets.
        sampler: What proposes configurations.
        scheduler: What stops trials early.
        robustness: How every trial is attacked; unused by a training function of the user's.
        history: Which earlier trials count.
        initial_weights: The earlier trial whose weights all trials start from; None: scratch, or
            as `space` says.
        seed: Of sampler and trials.
    """

    name: SearchName
    task: Task
    objectives: tuple[Objective, ...]
    space: dict[str, HyperparameterSpec]
    budget: Budget
    resources: Resources = Resources()
    sampler: Sampler = Sampler()
    scheduler: Scheduler = Scheduler()
    robustness: AnyThreat = Threat()
    history: HistorySettings = HistorySettings()
    initial_weights: InitialWeightsKeys | None = None
    seed: Seed = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, primary first."""
        return tuple(each.metric for each in self.objectives)

    @property
    def threat(self) -> AnyThreat | None:
        """How every trial is attacked; None for a training function of the user's."""
        return None if self.task.is_function else self.robustness

    @property
    def starts_from(self) -> str:
        """The earlier trial all trials start from; "": scratch, or what each one chooses."""
        part = self.initial_weights
        return part.source or "" if part else ""

    def to_yaml(self) -> str:
        """The spec as YAML; `spec_from_yaml` gives back an equal one, whatever the folder."""
        return yaml.dump(
            self.to_record(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
        )

    def to_record(self) -> dict[str, Any]:
        """The spec as its file would hold it."""
        record: dict[str, Any] = {
            "name": self.name,
            "task": self.task.model_dump(exclude_none=True),
            "objectives": [_written(each) for each in self.objectives],
            "space": {
                name: _plain(part.model_dump(exclude_defaults=True))
                for name, part in self.space.items()
            },
            "budget": self.budget.model_dump(),
            "resources": self.resources.model_dump(),
            "sampler": self.sampler.model_dump(),
            "scheduler": {"name": self.scheduler.name, **self.scheduler.options},
            "robustness": asdict(self.robustness),
            "history": _plain(self.history.model_dump()),
            "seed": self.seed,
        }
        if self.initial_weights is not None:
            part = self.initial_weights
            record[INITIAL_WEIGHTS] = part.model_dump(by_alias=True, exclude_defaults=True)
        if self.task.is_function:
            del record["robustness"]
        return record

    def fingerprint(
        self, data: DataDescription | TextDescription | None, base: BaseModel | None = None
    ) -> dict[str, Any]:
        """Everything that changes what an objective value means, as JSON-ready data.

        Two searches with equal fingerprints (names aside) may share trials as they are. The space,
        the number of trials, the sampler and the seed are not part of it.

        Args:
            data: From `models.catalog.describe_data`; None if there is no data.
            base: The pretrained model, from `models.networks.base_model.locate_base`; None without
            one.

        Raises:
            OSError: The table of synonyms cannot be read.
        """
        fingerprint: dict[str, Any] = {
            "name": self.task.name,
            "data": None if data is None else asdict(data),
            "model": self.task.model,
            "settings": dict(self.task.settings),
            "epochs": self.budget.epochs,
            # How an objective counts does not change what its values mean.
            "objectives": [
                {"metric": each.metric, "direction": each.direction} for each in self.objectives
            ],
        }
        if self.initial_weights is not None and self.initial_weights.source is not None:
            source = self.initial_weights.source
            fingerprint[INITIAL_WEIGHTS] = source
            # They follow from the source; tasks that differ in nothing else should look alike.
            for name in self.initial_weights.fixed.get(source, {}):
                fingerprint["settings"].pop(name, None)
        if base is not None:
            fingerprint["base"] = {"name": base.name, "digest": base.digest}
        if not self.task.is_function:
            fingerprint["robustness"] = asdict(self.robustness)
            # It says how the best are judged once the search is over, not what it measured.
            fingerprint["robustness"].pop("final_examples", None)
        if isinstance(self.robustness, TextThreat) and self.robustness.synonyms:
            # What the table says counts, not where it lies.
            table = Path(self.robustness.synonyms).read_bytes()
            fingerprint["robustness"]["synonyms"] = hashlib.sha256(table).hexdigest()[:12]
        return dict(json.loads(json.dumps(fingerprint)))

    def search_space(self) -> SearchSpace:
        """The hyperparameters as Optuna distributions, with their conditions."""
        return SearchSpace(
            {name: part.distribution() for name, part in self.space.items()},
            {name: dict(part.when) for name, part in self.space.items() if part.when},
        )

    def complete(self, configuration: Mapping[str, Value]) -> dict[str, Value]:
        """What a trial trains with: a configuration, the settings active under it, the defaults.

        Where trials choose their initial weights, the choice stays in, and what the chosen
        checkpoint fixes is set.

        Raises:
            ValueError: The model does not take the configuration.
        """
        if self.task.is_function:
            return {**self.task.settings, **configuration}
        tried = dict(configuration)
        chosen = {name: tried.pop(name) for name in (INITIAL_WEIGHTS,) if name in tried}
        settings = self.task.settings | self._fixed_by(chosen.get(INITIAL_WEIGHTS))
        values: dict[str, Value] = {}
        for name, hyperparameter in catalog.MODELS[self.task.model].items():
            if name in settings and catalog.is_active(hyperparameter, values):
                values[name] = settings[name]
            if name in tried:
                values[name] = tried[name]
        unknown = {name: value for name, value in tried.items() if name not in values}
        return catalog.complete(self.task.model, {**values, **unknown}) | chosen

    def starting_points(self) -> list[str]:
        """The earlier trials that trials may start from, `SEARCH#TRIAL` each once pinned."""
        if self.task.is_function:
            return []
        part = self.initial_weights
        return [part.source] if part and part.source else choices(self.space)

    def _fixed_by(self, chosen: Value | None) -> dict[str, Value]:
        part = self.initial_weights
        return part.fixed.get(str(chosen), {}) if part is not None and chosen is not None else {}


# What a fingerprint says of data and base for people to read; the digests beside it say the rest.
_FOR_READING = {"data": ("name", "licence", "repeated", "leaked", "removed"), "base": ("name",)}


def task_id(fingerprint: Mapping[str, Any]) -> str:
    """The task's identity, `digits-cnn@ab12cd34`: its name and a hash of all but the names."""
    content = {key: value for key, value in fingerprint.items() if key != "name"}
    for part, names in _FOR_READING.items():
        if isinstance(content.get(part), Mapping):
            content[part] = {k: value for k, value in content[part].items() if k not in names}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{fingerprint['name']}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"

"""Spec: a checked, frozen description of a search.

Writes it as YAML, and derives the identity of its task and the hyperparameters of each trial. Not
for reading and checking one (`load.py`) nor for Optuna's view of the space
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
from search.objectives.roles import counts_robustness
from search.space import SearchSpace
from search.spec.first import FIRST, completed_first
from search.spec.initial_weights import INITIAL_WEIGHTS, InitialWeightsKeys, choices
from search.spec.sections import (
    Budget,
    CheckedValue,
    FolderName,
    HistorySettings,
    HyperparameterSpec,
    ObjectiveKeys,
    Part,
    Resources,
    Sampler,
    Scheduler,
    Task,
)
from search.spec.space import space_of
from search.spec.yaml_document import Dumper

# numpy's legacy seeding, which scikit-learn and Optuna use, takes 32 bits.
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]


def _written(objective: Objective) -> dict[str, Any]:
    """Return an objective as the keys of a spec, without those that have their defaults."""
    role = objective.role
    keys = {"metric": objective.metric, "direction": objective.direction, "role": role.name}
    return ObjectiveKeys.model_validate(
        keys | {"bound": role.bound, "tolerance": role.tolerance}
    ).model_dump(exclude_defaults=True)


class Spec(Part):
    """A checked search. Build it with `load_spec` or `spec_from_yaml`, which check everything.

    Attributes:
        name: The name of the search.
        task: Data set, model and fixed hyperparameters.
        objectives: The first is the primary one.
        space: Name to hyperparameter, in the file's order.
        budget: Trials, epochs per trial, hours.
        resources: Parallel trials, and the resources of one.
        sampler: The sampler that proposes configurations.
        scheduler: The scheduler that stops trials early.
        robustness: The threat that attacks every trial; the user's own training function gets it as
            `trial.threat`.
        history: The earlier trials to learn from.
        initial_weights: The earlier trial whose weights all trials start from; None: scratch, or
            as `space` says.
        first: Configurations to try before all others, in this order; each may be partial, and one
            that is given twice is trained twice.
        seed: The seed of sampler and trials.
    """

    name: FolderName
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
    first: tuple[dict[str, CheckedValue], ...] = ()
    seed: Seed = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, primary first."""
        return tuple(each.metric for each in self.objectives)

    @property
    def threat(self) -> AnyThreat | None:
        """The threat that attacks every trial; None for a user's function, which does so itself."""
        return None if self.task.is_function else self.robustness

    @property
    def excludes_doubtful(self) -> bool:
        """Whether a trial fails whose robust accuracy may be false; not if that is only reported.

        A user's function attacks its models itself, and confirms nothing.
        """
        threat = self.threat
        is_wanted = isinstance(threat, Threat) and threat.doubtful == "exclude"
        return is_wanted and counts_robustness(self.objectives)

    def epoch_metric(self, objective: str) -> str:
        """Return the metric that stands for an objective until a trial's last epoch.

        It is a cheaper one where the objective is too expensive for every epoch.
        """
        if self.threat is None:
            return objective
        return catalog.compared_metric(self.task.catalog_name, self.threat, objective)

    @property
    def starts_from(self) -> str:
        """The earlier trial that all trials start from; "" for scratch or one choice per trial."""
        return (self.initial_weights and self.initial_weights.source) or ""

    def to_yaml(self) -> str:
        """Return the spec as YAML; `spec_from_yaml` reads an equal one, from any folder."""
        return yaml.dump(
            self.to_record(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
        )

    def to_record(self) -> dict[str, Any]:
        """Return the spec as the plain data of its file."""
        record: dict[str, Any] = {
            "name": self.name,
            "task": self.task.model_dump(exclude_none=True),
            "objectives": [_written(each) for each in self.objectives],
            "space": {
                name: part.model_dump(mode="json", exclude_defaults=True)
                for name, part in self.space.items()
            },
            "budget": self.budget.model_dump(),
            "resources": self.resources.model_dump(),
            "sampler": self.sampler.model_dump(),
            "scheduler": {"name": self.scheduler.name, **self.scheduler.options},
            "robustness": asdict(self.robustness),
            "history": {
                key: value
                for key, value in self.history.model_dump(mode="json").items()
                if value not in (None, "")  # not pinned
            },
            "seed": self.seed,
        }
        part = self.initial_weights
        if part is not None:
            record[INITIAL_WEIGHTS] = part.model_dump(by_alias=True, exclude_defaults=True)
        if self.first:
            record[FIRST] = [dict(each) for each in self.first]
        if self.task.is_function and self.robustness == Threat():
            del record["robustness"]
        return record

    def fingerprint(
        self,
        data: DataDescription | TextDescription | None,
        base: BaseModel | None = None,
        code: str = "",
    ) -> dict[str, Any]:
        """Return everything that changes the meaning of an objective value, as JSON-ready data.

        Two searches with equal fingerprints (names aside) may share trials unchanged. The space,
        the number of trials, the sampler and the seed are not part of it.

        Args:
            data: From `models.catalog.describe_data`; None without data.
            base: The pretrained model, from `models.networks.base_model.locate_base`; None without
                one.
            code: The digest of the user's own code, from `models.networks.own_code.locate_code`.

        Raises:
            OSError: The table of synonyms cannot be read.
        """
        fingerprint: dict[str, Any] = {
            "name": self.task.name,
            "data": None if data is None else asdict(data),
            "model": self.task.trains,
            "settings": dict(self.task.settings),
            "epochs": self.budget.epochs,
            # Roles do not change the meaning of the values.
            "objectives": [
                {"metric": each.metric, "direction": each.direction} for each in self.objectives
            ],
        }
        part = self.initial_weights
        if part is not None and part.source is not None:
            fingerprint[INITIAL_WEIGHTS] = part.source
            # The source fixes these settings; tasks that differ in nothing else should look alike.
            fixed = part.fixed.get(part.source, {})
            fingerprint["settings"] = {
                k: v for k, v in self.task.settings.items() if k not in fixed
            }
        if fingerprint["data"] is not None:
            for key in ("warnings", "seeded_splits"):  # of no meaning for the values
                fingerprint["data"].pop(key, None)
        if base is not None:
            fingerprint["base"] = {"name": base.name, "digest": base.digest}
        if code:
            fingerprint["code"] = code
        if not self.task.is_function or self.robustness != Threat():
            fingerprint["robustness"] = asdict(self.robustness)
            # These are of what follows, when a trial has been measured.
            for key in ("final_examples", "doubtful"):
                fingerprint["robustness"].pop(key, None)
        if isinstance(self.robustness, TextThreat):
            # Texts were once measured on the whole validation split: other values, another task.
            fingerprint[MEASURED_ON] = OBJECTIVE_PART
        if isinstance(self.robustness, TextThreat) and self.robustness.synonyms:
            # The content of the table counts, not its path.
            table = Path(self.robustness.synonyms).read_bytes()
            fingerprint["robustness"]["synonyms"] = hashlib.sha256(table).hexdigest()[:12]
        return dict(json.loads(json.dumps(fingerprint)))

    def search_space(self) -> SearchSpace:
        """Return the hyperparameters as Optuna distributions, with their conditions."""
        return space_of(self.space)

    def complete(self, configuration: Mapping[str, Value]) -> dict[str, Value]:
        """Complete a configuration with the settings active under it and the defaults.

        Where trials choose their initial weights, the result has the choice and the hyperparameters
        that the chosen checkpoint fixes.

        Raises:
            ValueError: The model does not accept the configuration.
        """
        if self.task.is_function:
            return {**self.task.settings, **configuration}
        tried = dict(configuration)
        chosen = {name: tried.pop(name) for name in (INITIAL_WEIGHTS,) if name in tried}
        fixed = self.initial_weights.fixed if self.initial_weights else {}
        settings = self.task.settings | fixed.get(str(chosen.get(INITIAL_WEIGHTS)), {})
        return catalog.complete(self.task.catalog_name, {**settings, **tried}) | chosen

    def first_configurations(self) -> list[dict[str, Value]]:
        """Return the first configurations, completed; trial N tries the one at place N."""
        space, known = self.search_space(), catalog.MODELS.get(self.task.catalog_name, {})
        fixed = self.task.settings
        return [completed_first({**fixed, **each}, space, known) for each in self.first]

    def starting_points(self) -> list[str]:
        """Return the earlier trials that trials may start from, as `SEARCH#TRIAL` once pinned."""
        if self.task.is_function:
            return []
        return [self.starts_from] if self.starts_from else choices(self.space)


# The part of the validation split that gives the objectives of texts, in a fingerprint.
MEASURED_ON, OBJECTIVE_PART = "measured_on", "objective part"
# Parts of a fingerprint for people to read; digests identify data and base.
_FOR_READING = {"data": ("name", "licence", "repeated", "leaked", "removed"), "base": ("name",)}


def task_id(fingerprint: Mapping[str, Any]) -> str:
    """Return the task's id, `digits-cnn@ab12cd34`: its name and a hash of all but the names."""
    content = {key: value for key, value in fingerprint.items() if key != "name"}
    for part, names in _FOR_READING.items():
        if isinstance(content.get(part), Mapping):
            content[part] = {k: value for k, value in content[part].items() if k not in names}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{fingerprint['name']}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"

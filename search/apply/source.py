"""What proposes configurations, and what it is told: the door for every method in `apply/`.

A source is asked for one trial at a time, in an order that the sampler fixes, and answers with a
configuration and where it came from, or with None, and then the next source is asked. Sources see
plain values only; none of them sees Optuna's study of the search, and none keeps a random state: a
proposal depends on the context alone, so a resumed search continues as an uninterrupted one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from search.apply.objective_model import ObjectiveModel
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace, Value


@dataclass
class Tried:
    """Configurations that are not to be proposed again.

    A configuration may lack hyperparameters, because its trial never asked for them. It then
    stands for all that agree with it in those it has.
    """

    _keys: dict[frozenset[str], set[str]] = field(default_factory=dict)

    def add(self, space: SearchSpace, configuration: Mapping[str, Value]) -> None:
        """Adds one; an empty configuration says nothing and is ignored."""
        if configuration:
            names = frozenset(configuration)
            self._keys.setdefault(names, set()).add(space.key(configuration))

    def holds(self, space: SearchSpace, configuration: Mapping[str, Value]) -> bool:
        """Whether this configuration was tried."""
        return any(
            names <= configuration.keys()
            and space.key({name: configuration[name] for name in names}) in keys
            for names, keys in self._keys.items()
        )

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._keys.values())


@dataclass(frozen=True)
class Context:
    """All that a proposal may depend on.

    Attributes:
        number: The number of the trial to propose for.
        space: The target space.
        objectives: What the study is told the values of.
        trials: The search's other trials in the order of their numbers, running ones included.
        tried: What was asked in this search, or tried before on the same task.
        seed: The sampler's seed; derive generators with `seed_of`.
        steering: How the objectives count, where they are not all searched alike.
        asked: What was asked in this search.
    """

    number: int
    space: SearchSpace
    objectives: tuple[Objective, ...]
    trials: tuple[Trial, ...]
    tried: Tried
    seed: int
    steering: ObjectiveModel | None = None
    asked: Tried = field(default_factory=Tried)


@dataclass(frozen=True)
class Proposal:
    """A configuration of the target space, active hyperparameters only, and its origin.

    Attributes:
        configuration: What to try.
        origin: JSON-able: `step` ("portfolio"; "history-model", which leans on other tasks;
            "prior-model", which knows trials of this very task; "model"; "opening"; "random";
            "control" or "given"), `source_runs` (run ids), `source_tasks` (task -> weight, below
            0 if it counts in reverse), `sampler`, `prior_trials`, and the guard's decision.
    """

    configuration: Mapping[str, Value]
    origin: Mapping[str, Any]


class Source(Protocol):
    """Something that proposes configurations."""

    def propose(self, context: Context) -> Proposal | None:
        """The next configuration that was not tried, or None if this source has none."""


def origin(
    step: str,
    *,
    runs: Iterable[str] = (),
    tasks: Mapping[str, float] | None = None,
    sampler: str = "",
    prior_trials: int = 0,
) -> dict[str, Any]:
    """The record of where a configuration came from; absolute weights sum to 1."""
    total = sum(abs(weight) for weight in (tasks or {}).values()) or 1.0
    return {
        "step": step,
        "source_runs": list(runs),
        "source_tasks": {task: weight / total for task, weight in (tasks or {}).items()},
        "sampler": sampler,
        "prior_trials": prior_trials,
    }


def seed_of(seed: int, *parts: int | str) -> int:
    """A 32-bit seed for one purpose, from the sampler's seed and what names the purpose."""
    numbers = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])

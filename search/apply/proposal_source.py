"""Source: the interface of the methods in `apply/` that propose configurations.

The sampler asks its sources in order, for one trial at a time. A source answers with a
configuration and its origin, or with None; then the next source is asked. Sources see plain values
only, not Optuna's study of the search, and keep no random state: a proposal depends on the context
alone, so a resumed search continues as an uninterrupted one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
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

    A configuration may lack hyperparameters that its trial never asked for. It then stands for all
    configurations that agree with it in the others.
    """

    _keys: dict[frozenset[str], set[str]] = field(default_factory=dict)

    def add(self, space: SearchSpace, configuration: Mapping[str, Value]) -> None:
        """Adds one; an empty configuration is ignored."""
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
        objectives: The objectives whose values the study is told.
        trials: The search's other trials in the order of their numbers, running ones included.
        tried: The configurations of this search, and those tried before on the same task.
        seed: The sampler's seed; derive generators with `seed_of`.
        objective_model: How the objectives count; None if all have the role `pareto`.
        asked: The configurations of this search.
        from_portfolio: How many of its proposals were a portfolio's, as far as is known.
    """

    number: int
    space: SearchSpace
    objectives: tuple[Objective, ...]
    trials: tuple[Trial, ...]
    tried: Tried
    seed: int
    objective_model: ObjectiveModel | None = None
    asked: Tried = field(default_factory=Tried)
    from_portfolio: int = 0


@dataclass(frozen=True)
class Proposal:
    """A configuration of the target space, active hyperparameters only, and its origin.

    Attributes:
        configuration: What to try.
        origin: JSON-able: `step` ("confirm", the best known configuration of this task;
            "portfolio"; "earlier-best", the best of an earlier task; "history-model", which uses
            other tasks; "prior-model", which uses prior trials of this task; "model"; "opening";
            "random"; "control"; "first", which the spec names; or "given"), `reason` (why it was
            this step's turn, if that says more), `source_runs` (run ids), `source_tasks` (task ->
            weight, negative if it is inverted), `sampler`, `prior_trials` (in the model: of this
            task, or of the portfolio's tasks), the guard's decision, `forecast` (see
            `expected_gain.py`, `first_forecast.py` and `price.py`), `risk` (of a failure, unless it
            is negligible; see `failure_risk.py`), and of "confirm" `revalidates` (see
            `search/history/revalidation.py`).
    """

    configuration: Mapping[str, Value]
    origin: Mapping[str, Any]


class Source(Protocol):
    """A method that proposes configurations."""

    def propose(self, context: Context) -> Proposal | None:
        """Returns a configuration that was not tried, or None if this source has none."""


def origin(
    step: str,
    *,
    runs: Iterable[str] = (),
    tasks: Mapping[str, float] | None = None,
    sampler: str = "",
    prior_trials: int = 0,
) -> dict[str, Any]:
    """Makes the record of where a configuration came from; absolute weights sum to 1."""
    total = sum(abs(weight) for weight in (tasks or {}).values()) or 1.0
    return {
        "step": step,
        "source_runs": list(runs),
        "source_tasks": {task: weight / total for task, weight in (tasks or {}).items()},
        "sampler": sampler,
        "prior_trials": prior_trials,
    }


def names_of(objectives: Sequence[Objective]) -> list[str]:
    """Returns what records name objectives by: their metrics, for a study may name none."""
    return [each.metric or f"objective {place}" for place, each in enumerate(objectives)]


def seed_of(seed: int, *parts: int | str) -> int:
    """Derives a 32-bit seed for one purpose from the sampler's seed and the purpose's name."""
    numbers = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])

"""Search: an earlier search in history. Rejected: a run that is not in history, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from search.objectives.objective import Objective
from search.space import SearchSpace


@dataclass(frozen=True)
class Search:
    """One earlier search: its objectives, its task and its space.

    `inferred` names the hyperparameters whose range nobody logged: the space has that of the values
    that were tried.
    """

    id: str
    task: str
    fingerprint: Mapping[str, Any]
    space: SearchSpace | None
    objectives: tuple[Objective, ...]
    started: datetime
    trials_budget: int = 0
    epochs: int = 0
    seed: int = 0
    state: str = "complete"
    warm: bool = False
    run_id: str = ""
    inferred: frozenset[str] = frozenset()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, in their order."""
        return tuple(each.metric for each in self.objectives)


@dataclass(frozen=True)
class Rejected:
    """A run that history leaves out, and why. No run is dropped silently."""

    run_id: str
    name: str
    reason: str

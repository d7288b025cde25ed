"""Statements that history supports, each naming the runs or searches it rests on.

The parts of an `Experience` (experience.py), which is what the steps hand each other. Not for
making them, that is `extract/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str


@dataclass(frozen=True)
class Best:
    """The best complete trial of a search in one objective, in the objective's own unit."""

    objective: str
    value: float
    run_id: str


@dataclass(frozen=True)
class RelevantSearch:
    """An earlier search that was learned from.

    Attributes:
        similarity: 0 (nothing in common) to 1 (the same task), see `extract/similarity.py`.
        reasons: What the similarity rests on, in words.
        trials: Complete trials that measured every objective of the new search.
        best: One entry an objective that any of its trials measured.
    """

    id: str
    task: str
    is_same_task: bool
    similarity: float
    reasons: tuple[str, ...]
    trials: int
    best: tuple[Best, ...]


@dataclass(frozen=True)
class Importance:
    """Share of an objective's variation that one hyperparameter alone explains.

    Attributes:
        importance: Mean over `searches`, weighted by their similarity; 0 to 1. Over all
            hyperparameters of one search the shares add up to 1.
        agreement: 1 minus the distance between the lowest and the highest share of the searches;
            1 is full agreement, None if only one search speaks.
        searches: The searches it was measured in.
        trials: Complete trials of these searches together.
    """

    hyperparameter: str
    objective: str
    importance: float
    agreement: float | None
    searches: tuple[str, ...]
    trials: int


@dataclass(frozen=True)
class Category:
    """One choice: its share of the best quarter and of all trials, each 0 to 1."""

    value: Value
    share_of_best: float
    share_of_all: float


@dataclass(frozen=True)
class Region:
    """Where the best quarter of earlier trials lies, in the new search's own space.

    Attributes:
        low: Lower end for a number, None for a category.
        high: Upper end for a number, None for a category.
        coverage: Share of the space's range between `low` and `high`, 0 to 1, on a log scale where
            the space has one; None for a category.
        categories: Choices, the most frequent among the best first; empty for a number.
        trials: How many of the best trials the statement rests on.
        runs: The runs of these trials.
        searches: The searches they belong to.
    """

    hyperparameter: str
    low: float | None
    high: float | None
    coverage: float | None
    categories: tuple[Category, ...]
    trials: int
    runs: tuple[str, ...]
    searches: tuple[str, ...]


@dataclass(frozen=True)
class Conflict:
    """Rank correlation of two objectives over complete trials, each counted towards its better end.

    `correlation` is -1 (a better value of one costs the other) to 1 (they improve together).
    """

    first: str
    second: str
    correlation: float
    trials: int
    searches: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A run that taught nothing, and why."""

    run_id: str
    name: str
    reason: str

"""Experience: statements about one task learned from history, each with the runs it is based on.

Later steps read it as an object, JSON carries it between machines, and `extract/describe.py` writes
it as text. Not for computing statements (`extract/`) nor for proposing configurations (`apply/`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from pydantic import TypeAdapter

Value: TypeAlias = bool | int | float | str


@dataclass(frozen=True)
class Best:
    """The best complete trial of a search in one objective, in the objective's unit."""

    objective: str
    value: float
    run_id: str


@dataclass(frozen=True)
class RelevantSearch:
    """An earlier search of a task like this one, which the statements are about.

    Attributes:
        similarity: 0 (nothing in common) to 1 (the same task), see `extract/task_similarity.py`.
        reasons: The reasons for the similarity, in words.
        trials: Complete trials that measured an objective of the new search.
        best: One entry per objective that any of its trials measured.
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
            1 is full agreement, None with only one search.
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
class ImportanceAgreement:
    """How consistent importances for an objective are between earlier tasks.

    Attributes:
        correlation: Mean over pairs of tasks of the rank correlation between their importances,
            -1 to 1; 0 is expected by chance.
        tasks: Number of tasks compared.
        hyperparameters: Hyperparameters that all of them searched.
        searches: The searches of the importances.
    """

    objective: str
    correlation: float
    tasks: int
    hyperparameters: tuple[str, ...]
    searches: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    """One choice: its share of the best quarter and of all trials, each 0 to 1."""

    value: Value
    share_of_best: float
    share_of_all: float


@dataclass(frozen=True)
class Region:
    """The region of the best quarter of earlier trials, in the new search's space.

    Attributes:
        low: Lower end of a number, None for a category.
        high: Upper end of a number, None for a category.
        coverage: Share of the space's range between `low` and `high`, 0 to 1, on a log scale where
            the space has one; None for a category.
        categories: Choices, the most frequent among the best first; empty for a number.
        trials: Number of best trials in the statement.
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
class ObjectiveCorrelation:
    """Rank correlation of two objectives over complete trials, larger meaning better for both.

    `correlation` is -1 (a better value of one costs the other) to 1 (they improve together).
    """

    first: str
    second: str
    correlation: float
    trials: int
    searches: tuple[str, ...]


@dataclass(frozen=True)
class Noise:
    """The variation of an objective when a configuration is repeated on its task.

    Attributes:
        deviation: Standard deviation within a configuration, pooled over configurations, in the
            objective's unit; 0 if every repetition gave the very same value.
        low: Lower end of its 95 % interval (chi-square).
        high: Upper end.
        repeats: Trials after the first of each configuration: the degrees of freedom.
        difference: Two single trials of equally good configurations differ by less in 19 of 20
            cases.
        is_same_task: Whether this is the new search's own task; otherwise similar tasks.
        runs: The trials that share a configuration with another.
        searches: The searches they belong to.
    """

    objective: str
    deviation: float
    low: float
    high: float
    repeats: int
    difference: float
    is_same_task: bool
    runs: tuple[str, ...]
    searches: tuple[str, ...]


class RankCorrelation(NamedTuple):
    """Kendall's tau of two orders, its 95 % interval, and the number of pairs without a tie."""

    tau: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Agreement:
    """How well one earlier search predicts the order of this search's trials.

    Attributes:
        search: The earlier search.
        similarity: The estimate before the first trial, 0 to 1.
        order: The rank correlation of predicted and observed values.
        trials: Trials of this search that were compared.
        own_tau: The same when the earlier search predicts each of its own trials from the others:
            an upper limit for trust in its predictions.
        source_trials: Trials of the earlier search.
    """

    search: str
    task: str
    objective: str
    similarity: float
    order: RankCorrelation
    trials: int
    own_tau: float
    source_trials: int


@dataclass(frozen=True)
class TopAgreement:
    """Where the best configurations of an earlier task lie in the predictions of the others.

    Attributes:
        quantile: The share of random configurations that the other tasks predict to be better, 0 to
            1; of the median of its best ones. By chance it is 0.5.
        correlation: Rank correlation of its own predictions with those of the others over random
            configurations: the agreement in bulk.
        others: How many other tasks predict.
        runs: The trials that are its best ones.
    """

    objective: str
    task: str
    quantile: float
    correlation: float
    others: int
    runs: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A run that no statement is about, and why."""

    run_id: str
    name: str
    reason: str


@dataclass(frozen=True)
class Experience:
    """The statements about one task.

    Attributes:
        task: Id of the task of the new search.
        similarities: Earlier search -> similarity of its task, 0 to 1.
        searches: The searches that describe the task, the most similar first.
        importances: By objective, the most important first.
        importance_agreements: Consistency of importances between tasks; none with a single task.
        noises: By objective; none without repeated configurations.
        agreements: How well earlier searches predict this one; none before its first trials.
        top_agreements: How far earlier tasks agree on what is best; by objective, the task that
            differs most first. None with a single task.
        left_out: Runs that no statement is about; those that history rejected come first.
        fitted: How each earlier search was fitted to this one's space, one line each.
        used: The searches that proposals rest on; also those of tasks too different to describe
            this one, by the weight that their predictions earn.
        unused: The other searches -> why they are not used.
    """

    task: str
    similarities: Mapping[str, float] = field(default_factory=dict)
    searches: tuple[RelevantSearch, ...] = ()
    importances: tuple[Importance, ...] = ()
    regions: tuple[Region, ...] = ()
    objective_correlations: tuple[ObjectiveCorrelation, ...] = ()
    importance_agreements: tuple[ImportanceAgreement, ...] = ()
    noises: tuple[Noise, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    top_agreements: tuple[TopAgreement, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    fitted: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no earlier search is similar enough to describe the task."""
        return not self.searches

    def reasons(self) -> dict[str, int]:
        """Count runs left out by reason, the most frequent first."""
        return dict(Counter(row.reason for row in self.left_out).most_common())

    def to_json(self) -> str:
        """Return the experience as JSON, the same text for the same experience."""
        return _ADAPTER.dump_json(self, indent=2).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Experience:
        """Read an experience that `to_json` wrote.

        Raises:
            ValueError: The text is something else; the message says what is wrong and where.
        """
        return _ADAPTER.validate_json(text)


_ADAPTER = TypeAdapter(Experience)

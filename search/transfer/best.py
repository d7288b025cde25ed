"""The best trials of a search by its objectives, and their results on the test split.

Not for choosing among them: where two objectives conflict, that is a person's decision. The test
split took no part in the choice, so its values are unbiased; those on validation are optimistic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import yaml
from scipy.stats import binomtest

from models.scores.metric_names import MetricName, Split
from search.extract.objective_matrix import objective_matrix
from search.history import History, Trial
from search.objectives.objective import value_text
from search.objectives.roles import best
from search.transfer.examples import Examples, reported_examples
from search.transfer.progress import find_search, trials_of


@dataclass(frozen=True)
class TestValue:
    """A metric on examples that selected nothing, the test split or the confirmation part.

    `low` and `high` bound it with 95 % confidence: Wilson's bounds of a share of examples, those of
    a bootstrap over examples where the trial reports them (F1). They are None for other metrics,
    and `examples` where their number is not known. As text it is "0.9760 (0.959 to 0.986)".
    """

    value: float
    low: float | None = None
    high: float | None = None
    examples: Examples | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None else f" ({self.low:.3f} to {self.high:.3f})"
        return value_text(self.value) + interval


def best_trials(history: History, search: str) -> list[Trial]:
    """The best trials of a search, sorted by the first objective; may be empty.

    They are the Pareto front unless the roles of the objectives say otherwise. Where no trial keeps
    the bounds, they are those that miss them by the least.

    Raises:
        ValueError: history does not contain the search.
    """
    this = find_search(history, search)
    measured = objective_matrix(trials_of(history, search), this.objectives)
    mask = best(measured.values, this.objectives)
    order = sorted(np.flatnonzero(mask).tolist(), key=lambda each: tuple(measured.losses[each]))
    return [measured.trials[index] for index in order]


def to_yaml(trial: Trial) -> str:
    """A trial's configuration as YAML, ready to paste."""
    return yaml.safe_dump(dict(trial.configuration), sort_keys=True, allow_unicode=True)


def values_on_test(trial: Trial, split: Split = "test") -> dict[str, TestValue]:
    """A trial's results on the test split: metric without the leading "test." -> result.

    Args:
        trial: The trial.
        split: "test", or "confirmation" for the confirmation part of validation.
    """
    values = trial.last_values
    names = map(MetricName.parse, sorted(values))
    return {
        str(name.on("validation")): _result(values, name)
        for name in names
        if name.split == split and not name.is_count and name.bound is None
    }


def wilson_interval(share: float, examples: int) -> tuple[float, float]:
    """Bounds of a share with 95 % confidence, both in [0, 1].

    Args:
        share: Observed share, 0 to 1.
        examples: Number of examples it was measured on, at least 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    interval = binomtest(round(share * examples), examples).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def interval_text(share: float, examples: int) -> str:
    """The bounds of `wilson_interval`, as "0.959 to 0.986"."""
    low, high = wilson_interval(share, examples)
    return f"{low:.3f} to {high:.3f}"


def _result(values: Mapping[str, float], name: MetricName) -> TestValue:
    value, examples = values[str(name)], reported_examples(values, name)
    if not 0.0 <= value <= 1.0:
        return TestValue(value, examples=examples)
    low, high = (values.get(str(name.bounded(each)), math.nan) for each in ("low", "high"))
    if 0.0 <= low <= high <= 1.0:
        return TestValue(value, low, high, examples)
    if examples is None or not name.is_share_of_examples(values):
        return TestValue(value, examples=examples)
    return TestValue(value, *wilson_interval(value, examples.count), examples)

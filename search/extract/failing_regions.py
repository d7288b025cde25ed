"""Failing regions: where in a space trials fail most, by one hyperparameter each, to be read.

A region is one side of a value of a number, or one choice. Those are named in which failures are
more frequent than elsewhere by more than chance. Not for proposals, which use all hyperparameters
together (`failure_model.py`).

Source: Breiman et al. 1984, "Classification and regression trees", section 4.3 (one split by its
deviance); the limit is that of a likelihood ratio.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.special import xlogy

from search.extract.failures import Outcomes, counting, outcomes_of
from search.history import Trial
from search.space import SearchSpace
from search.space import values as space_values

Flags = NDArray[np.bool_]

# The deviance of the best split of a hyperparameter that does not matter exceeds this in one of 100
# cases: 6.6 for one split (chi-square), and the best of many is larger.
LEAST_DEVIANCE = 12.0
REGIONS_NAMED = 2


@dataclass(frozen=True)
class FailingRegion:
    """A region in which more trials failed than elsewhere.

    Attributes:
        hyperparameter: Which one it is a part of.
        where: Which part, to follow its name: "above 0.03", "below 8", "sgd".
        failed: How many trials failed there.
        trials: Of how many.
        deviance: Twice the log likelihood ratio of two shares of failures over one.
    """

    hyperparameter: str
    where: str
    failed: int
    trials: int
    deviance: float

    def in_words(self) -> str:
        """Write it to read: "learning_rate above 0.03 (9 of 11)"."""
        return f"{self.hyperparameter} {self.where} ({self.failed} of {self.trials})"


def failing_regions(trials: Sequence[Trial], space: SearchSpace) -> list[FailingRegion]:
    """Return the regions of different hyperparameters that fail most, the clearest first.

    Args:
        trials: Trials of any searches, in the terms of the space.
        space: The target space.
    """
    kept = counting(trials)
    found = []
    for name, kind in space.distributions.items():
        known = [trial for trial in kept if name in trial.configuration]
        has_failed = np.array([bool(trial.cause) for trial in known], dtype=bool)
        values = [trial.configuration[name] for trial in known]
        regions = [
            FailingRegion(name, where, int((has_failed & inside).sum()), int(inside.sum()),
                          _deviance(has_failed, inside))
            for where, inside in _splits(kind, values)
        ]  # fmt: skip
        found += sorted(regions, key=lambda each: -each.deviance)[:1]
    clear = [each for each in found if each.deviance > LEAST_DEVIANCE]
    return sorted(clear, key=lambda each: -each.deviance)


def failure_line(trials: Sequence[Trial], space: SearchSpace, *, is_avoided: bool) -> str:
    """Return what history knows of failures as a line; "" if no failure counts.

    Args:
        trials: Trials of any searches, in the terms of the space.
        space: The target space.
        is_avoided: Whether the search avoids such configurations.
    """
    outcomes: Outcomes = outcomes_of(trials, space)
    if not outcomes.has_failed.any():
        return ""
    regions = [each.in_words() for each in failing_regions(trials, space)[:REGIONS_NAMED]]
    where = f", most of {' and of '.join(regions)}" if regions else ""
    avoided = "; configurations like these are avoided" if is_avoided else ""
    return f"{outcomes.in_words()}{where}{avoided}"


def _splits(kind: BaseDistribution, values: Sequence[object]) -> Iterator[tuple[str, Flags]]:
    """Yield the parts of a hyperparameter: what they are, and which values lie in them."""
    if isinstance(kind, CategoricalDistribution):
        for choice in kind.choices:
            inside = [space_values.is_same(choice, value) for value in values]
            yield str(choice), np.array(inside, dtype=bool)
        return
    numbers = np.array(values, dtype=np.float64)
    for low, high in zip(*(np.unique(numbers)[part] for part in (np.s_[:-1], np.s_[1:])),
                         strict=True):  # fmt: skip
        yield f"above {low:.3g}", numbers > low
        yield f"below {high:.3g}", numbers < high


def _deviance(has_failed: Flags, inside: Flags) -> float:
    """Return twice the log likelihood ratio; 0 where the part fails less than the rest."""
    if not inside.any() or inside.all():
        return 0.0
    if has_failed[inside].mean() <= has_failed[~inside].mean():
        return 0.0
    parts = [has_failed[inside], has_failed[~inside]]
    gain = sum(_log_likelihood(part) for part in parts) - _log_likelihood(has_failed)
    return float(2.0 * gain)


def _log_likelihood(has_failed: Flags) -> float:
    failed, count = int(has_failed.sum()), len(has_failed)
    return float(xlogy(failed, failed / count) + xlogy(count - failed, 1.0 - failed / count))

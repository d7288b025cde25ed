"""Failing regions: where in a space trials fail most, by one hyperparameter each, to be read.

A region is one side of a value of a number, or one choice. Those are named in which failures are
more frequent than elsewhere by more than chance. Not for proposals, which use all hyperparameters
together (`failure_model.py`).

Source: Breiman et al. 1984, "Classification and regression trees", section 4.3 (one split by its
deviance); the limit is that of a likelihood ratio.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.special import xlogy

from search.extract.failures import Outcomes, counting, outcomes_of
from search.history import Trial
from search.space import SearchSpace
from search.space import values as space_values

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

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
        if not known:
            continue
        has_failed = np.array([bool(trial.cause) for trial in known], dtype=bool)
        values = [trial.configuration[name] for trial in known]
        parts, failed, inside = _parts(kind, values, has_failed)
        if not parts:
            continue
        deviances = _deviances(failed, inside, int(has_failed.sum()), len(known))
        best = int(np.argmax(deviances))
        found.append(FailingRegion(
            name, parts[best], int(failed[best]), int(inside[best]), float(deviances[best])
        ))  # fmt: skip
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
    avoided = "; configurations like these are tried less" if is_avoided else ""
    return f"{outcomes.in_words()}{where}{avoided}"


def _parts(
    kind: BaseDistribution, values: Sequence[object], has_failed: Flags
) -> tuple[list[str], Counts, Counts]:
    """Return the parts of a hyperparameter: what they are, the failed trials in each, and all.

    Trials are counted once and added up from below, for a history may have as many values as
    trials.
    """
    if isinstance(kind, CategoricalDistribution):
        inside = np.array(
            [[space_values.is_same(choice, value) for value in values] for choice in kind.choices],
            dtype=bool,
        )
        names = [str(choice) for choice in kind.choices]
        return names, (inside & has_failed).sum(axis=1), inside.sum(axis=1)
    numbers, places = np.unique(np.array(values, dtype=np.float64), return_inverse=True)
    names = [
        name
        for low, high in itertools.pairwise(numbers)
        for name in (f"above {low:.3g}", f"below {high:.3g}")
    ]
    return (
        names,
        _on_both_sides(places[has_failed], len(numbers)),
        _on_both_sides(places, len(numbers)),
    )


def _on_both_sides(places: Counts, values: int) -> Counts:
    """Return how many trials lie above and below each cut between two values, in turns."""
    below = np.cumsum(np.bincount(places, minlength=values))
    return np.stack([below[-1] - below[:-1], below[:-1]], axis=1).ravel()


def _deviances(failed: Counts, inside: Counts, all_failed: int, trials: int) -> Floats:
    """Return twice the log likelihood ratios; 0 where a part does not fail more than the rest."""
    rest_failed, rest = all_failed - failed, trials - inside
    parts = _log_likelihood(failed, inside) + _log_likelihood(rest_failed, rest)
    gain = parts - _log_likelihood(np.array(all_failed), np.array(trials))
    fails_more = failed * rest > rest_failed * inside  # where one is empty, it does not
    return np.where(fails_more, 2.0 * gain, 0.0)


def _log_likelihood(failed: Counts, trials: Counts) -> Floats:
    share = failed / np.maximum(trials, 1)
    return np.asarray(xlogy(failed, share) + xlogy(trials - failed, 1.0 - share))

"""The 95 % interval for the next one of a few positive numbers, such as costs of searches.

Logarithms are taken as normal, with mean and deviation unknown: costs are positive, and differ by
factors. What a search had spent when it ended without its goal is a lower limit, so with any such
search there is no upper end. Not for the mean of the numbers, whose interval is narrower.

Source: Hahn and Meeker 1991, "Statistical intervals", section 4.7 (the prediction interval of one
further observation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev

from scipy.stats import norm
from scipy.stats import t as student

from search.transfer.cost_forecast import Estimate

# With two numbers the interval would reach over six deviations more than with three.
FEWEST = 3
# Trainings of one configuration differ in time by a tenth, even on a quiet machine: searches that
# agree by chance do not make the next one certain.
LEAST_DEVIATION = 0.1
_CONFIDENCE = 0.975
_LARGEST_LOG = 300.0  # so that products of two stay finite


def next_one(
    observed: Sequence[float],
    missed: Sequence[float] = (),
    deviation: float = 0.0,
    least: float = LEAST_DEVIATION,
) -> Estimate | None:
    """The median of positive numbers, and the interval for the next one.

    Args:
        observed: The numbers.
        missed: Lower limits of further ones.
        deviation: Standard deviation of what each is multiplied with later, on the log scale.
        least: The deviation of their own that is assumed at least, on the log scale.

    Returns:
        None with fewer than `FEWEST` numbers, if half of them or more are lower limits, or if one
        is not a positive number.
    """
    if not all(0 < each < math.inf for each in (*observed, *missed)):
        return None
    logs = [math.log(each) for each in (*observed, *missed)]
    count = len(logs)
    with_limits = [*map(math.log, observed), *[math.inf] * len(missed)]
    if count < FEWEST or not math.isfinite(middle := median(with_limits)):
        return None
    spread = max(stdev(logs), least) * math.sqrt(1.0 + 1.0 / count)
    half = math.hypot(
        float(student.ppf(_CONFIDENCE, count - 1)) * spread,
        float(norm.ppf(_CONFIDENCE)) * deviation,
    )
    center = fmean(logs)
    high = None if missed else _exp(center + half)
    return Estimate(_exp(middle), _exp(center - half), high, count, len(missed))


def _exp(logarithm: float) -> float:
    """A number of a logarithm, without overflow and never 0."""
    return math.exp(min(max(logarithm, -_LARGEST_LOG), _LARGEST_LOG))

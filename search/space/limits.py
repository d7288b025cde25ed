"""The ranges that floating point can represent, so that a sampler can work in them.

Samplers compute with 64-bit floats: they take differences, squares and logarithms, and count the
steps of a grid. A range beyond these limits ends in an overflow, a division by zero, or proposals
that all are one value. Not for what is a range at all (`search/spec/space.py`).
"""

from __future__ import annotations

import math

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

# Every whole number up to here is a float of its own; beyond, neighbours are one float.
LARGEST_WHOLE = 2**53
# The square of each, and of its reciprocal, is a finite float above 0, with room for sums.
LARGEST, SMALLEST = 1e150, 1e-150
# So many floats lie in a range at least; a sampler in one of four floats repeats itself.
FEWEST_FLOATS = 1024
# So many floats lie between two values of a grid at least: Optuna takes a value that is 1e-8 of a
# step off the grid for none of it, and computing a value is off by two floats at most.
FLOATS_IN_A_STEP = 2**28


def problem_of_range(
    low: float, high: float, step: float | None, *, log: bool, is_whole: bool
) -> tuple[str, str]:
    """Return which of "low", "high" and "step" no sampler can take, and why; ("", "") if none.

    Args:
        low: Least value.
        high: Greatest value, above `low`.
        step: Distance of the values of a grid, above 0; None without one.
        log: Whether the logarithm is searched; then `low` is above 0.
        is_whole: Whether the values are whole numbers.
    """
    largest = LARGEST_WHOLE if is_whole else LARGEST
    for key, number in (("low", low), ("high", high)):
        if abs(number) > largest:
            beyond = "2**53, where floats skip whole numbers" if is_whole else f"{LARGEST:g}"
            return key, f"is beyond {beyond}: search a smaller number, such as its logarithm"
    if is_whole:
        return "", ""
    spacing = math.ulp(max(abs(low), abs(high)))
    if step is not None:
        is_fine = step < max(FLOATS_IN_A_STEP * spacing, SMALLEST)
        why = "is too small for a grid of floats; remove it, or take a larger one"
        return ("step", why) if is_fine else ("", "")
    if log and low < SMALLEST:
        return "low", f"is below {SMALLEST:g}, too close to 0 for its logarithm to be precise"
    is_narrow = high - low < max(FEWEST_FLOATS * spacing, 0 if log else SMALLEST)
    if log and not is_narrow:
        ends = math.log(low), math.log(high)
        is_narrow = ends[1] - ends[0] < FEWEST_FLOATS * math.ulp(max(map(abs, ends)))
    if is_narrow:
        why = f"is too close to low ({low!r}): hardly a float lies between"
        return "high", f"{why}: search the difference from it instead"
    return "", ""


def problem_of(distribution: BaseDistribution) -> str:
    """Return why no sampler can take a distribution, to follow its name; "" if it can."""
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return ""
    low, high, step = distribution.low, distribution.high, distribution.step
    if low == high:
        return ""
    is_whole = isinstance(distribution, IntDistribution)
    key, why = problem_of_range(low, high, step, log=distribution.log, is_whole=is_whole)
    return why and f"{key} = {getattr(distribution, key)!r} {why}"

"""Values of one hyperparameter, described by an Optuna distribution.

Tests membership, reads values of other stores, draws and counts. Not for several hyperparameters at
once: `space.py` says which are active. Optuna's own membership test is private, so its few lines
are written out here.
"""

import math
import numbers
import reprlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

# As a share of one step: Optuna's own tolerance for a float that should lie on a grid.
GRID_TOLERANCE = 1e-8
# As a share of the range: an end that passed through text may have lost its last digit.
_SLACK = 1e-9
# What stores write for a missing value: their params are text.
_NOTHING = frozenset({"", "none", "null", "nan"})


class Read(NamedTuple):
    """A foreign value in a distribution's terms.

    `problem` is empty, or "outside" (a number out of range), "between" (a number off the grid),
    "vanished" (a category that the distribution lacks) or "missing" (no value, or an unreadable
    one). `value` is None for the last two.
    """

    value: Any
    problem: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is a value, in the range or not."""
        return self.problem not in ("vanished", "missing")


def brief(value: object) -> str:
    """Return a value as short text. Never raises."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to print integers beyond 4,300 digits
        return f"a very long {type(value).__name__}"


def is_same(first: object, second: object) -> bool:
    """Whether two values are the same category: 1 equals 1.0, but True is not 1."""
    if type(first) is type(second):
        return bool(first == second)
    return is_number(first) and is_number(second) and bool(first == second)


def index_of(distribution: CategoricalDistribution, value: object) -> int | None:
    """The place of a category among the choices; None if it is none of them.

    `choices.index` would find 0 for False, which Python takes for equal.
    """
    places = (i for i, choice in enumerate(distribution.choices) if is_same(choice, value))
    return next(places, None)


def is_number(value: object) -> bool:
    """Whether a value is a real number; booleans are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def is_among(value: object, values: Iterable[object]) -> bool:
    """Whether one of the values is the same category as `value`."""
    return any(is_same(each, value) for each in values)


def read_number(value: object) -> int | float | None:
    """Return a finite number from a number or its text; None for anything else. Never raises."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real | str):
        return None
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def describe(distribution: BaseDistribution) -> str:
    """Return the legal values as text: `16 to 64 in steps of 16`, `'sgd', 'adamw'`."""
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(brief(choice) for choice in distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    is_stepped = distribution.step is not None and distribution.step != 1
    steps = f" in steps of {distribution.step}" if is_stepped else ""
    return f"{distribution.low} to {distribution.high}{steps}"


def holds(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value belongs to a distribution, type included: `"64"` is not 64, nor True 1."""
    if isinstance(distribution, CategoricalDistribution):
        return index_of(distribution, value) is not None
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if not is_number(value) or not distribution.low <= value <= distribution.high:
        return False  # NaN too
    if isinstance(distribution, IntDistribution):
        is_integer = isinstance(value, numbers.Integral)
        return is_integer and (int(value) - distribution.low) % distribution.step == 0
    return distribution.step is None or _is_on_grid(distribution, distribution.step, float(value))


def read(distribution: BaseDistribution, value: object) -> Read:
    """Read a foreign value in a distribution's terms: `"64"` becomes 64, and 300 stays 300.

    Never raises.

    Args:
        distribution: The distribution of the hyperparameter.
        value: Any value of a store, such as text, None, NaN or a list.
    """
    if _is_plain(distribution, value):
        return Read(value)
    if isinstance(distribution, CategoricalDistribution):
        return _read_category(distribution, value)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    number = read_number(value)
    # A logarithmic range has no place for 0.
    if number is None or abs(number) > sys.float_info.max or (distribution.log and number <= 0):
        return Read(None, "missing")
    low, high = distribution.low, distribution.high
    inside = min(max(number, low), high)
    if abs(number - inside) <= _SLACK * (float(high) - float(low)):
        legal = nearest(distribution, inside)
        # NOTE: without a tolerance 0.30000000000000004 would be off a grid of 0.1.
        if abs(legal - inside) <= GRID_TOLERANCE * max(abs(inside), distribution.step or 0):
            return Read(legal)
    is_whole = isinstance(distribution, IntDistribution) and float(number).is_integer()
    problem = "between" if low <= number <= high else "outside"
    return Read(int(number) if is_whole else float(number), problem)


def nearest(distribution: BaseDistribution, value: Any) -> Any:
    """Return the legal value nearest to a number; a category stays as it is."""
    if isinstance(distribution, CategoricalDistribution):
        return value
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    number = min(max(value, low), high)
    if isinstance(distribution, IntDistribution):
        # Integer arithmetic: a float holds integers exactly only up to 2**53.
        step = distribution.step
        steps = (2 * (round(number) - distribution.low) + step) // (2 * step)
        return min(distribution.low + steps * step, distribution.high)
    if distribution.step is None or _is_on_grid(distribution, distribution.step, number):
        return float(number)
    steps = round((number - low) / distribution.step)
    return float(min(low + steps * distribution.step, high))


def middle(distribution: BaseDistribution) -> Any:
    """Return the legal value nearest to the middle of a range, in its logarithm if it has one.

    Of categories it is the first.
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    if distribution.log:
        return nearest(distribution, math.exp((math.log(low) + math.log(high)) / 2))
    return nearest(distribution, low + (high - low) / 2)


def canonical(distribution: BaseDistribution, value: Any) -> Any:
    """Return one form of equal values: 1.0 for 1 of a float, and one float for a grid point."""
    if not isinstance(distribution, FloatDistribution) or not is_number(value):
        return value
    if distribution.step is None or not holds(distribution, value):
        return float(value)
    steps = round((float(value) - distribution.low) / distribution.step)
    return distribution.low + steps * distribution.step


def draw(distribution: BaseDistribution, generator: np.random.Generator) -> Any:
    """Draw a value: uniform in the range, in its logarithm, or over the choices."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(generator.integers(len(distribution.choices)))]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    if distribution.log:
        # Half a unit either side gives the end points the same share as the integers between.
        margin = 0.5 if isinstance(distribution, IntDistribution) else 0.0
        exponent = generator.uniform(math.log(low - margin), math.log(high + margin))
        return nearest(distribution, math.exp(exponent))
    if distribution.step is not None:
        place = int(generator.integers(count(distribution) or 1))
        return nearest(distribution, low + place * distribution.step)
    return float(generator.uniform(low, high))


def count(distribution: BaseDistribution) -> int | None:
    """Return how many values a distribution holds; None if it is continuous."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return len(choices)
        case IntDistribution(low=low, high=high, step=step):
            return (high - low) // step + 1
        case FloatDistribution(low=low, high=high) if low == high:
            return 1
        case FloatDistribution(low=low, high=high, step=float(step)):
            return round((high - low) / step) + 1
    return None


def values(distribution: BaseDistribution) -> Iterable[Any]:
    """Return the values of a distribution that `count` can count, in their order."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, step = distribution.low, distribution.step or 0
    return (nearest(distribution, low + index * step) for index in range(count(distribution) or 0))


def suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Ask an Optuna trial for one value."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution):
        step, log = distribution.step, distribution.log
        return trial.suggest_int(name, int(low), int(high), step=step, log=log)
    return trial.suggest_float(name, low, high, step=distribution.step, log=distribution.log)


def _is_plain(distribution: BaseDistribution, value: object) -> bool:
    """Whether a value needs no reading. Most do not, and this is several times faster."""
    if isinstance(distribution, CategoricalDistribution):
        return type(value) is str and value in distribution.choices
    if type(value) is float and type(distribution) is FloatDistribution:
        return distribution.step is None and distribution.low <= value <= distribution.high
    if type(value) is int and type(distribution) is IntDistribution:
        return distribution.step == 1 and distribution.low <= value <= distribution.high
    return False


def _read_category(distribution: CategoricalDistribution, value: object) -> Read:
    if isinstance(value, np.generic):
        value = value.item()
    text = value.strip() if isinstance(value, str) else brief(value)
    number = read_number(value)
    readings: tuple[Callable[[object], bool], ...] = (
        lambda choice: is_same(choice, value),
        lambda choice: _reads_as(choice, text, number),
        # 64.0 is "64": what was a range then is a list of texts now.
        lambda choice: number is not None and read_number(choice) == number,
    )
    for fits in readings:
        for choice in distribution.choices:
            if fits(choice):
                return Read(choice)
    is_category = isinstance(value, str | bool) or number is not None
    return Read(None, "vanished" if is_category and text.lower() not in _NOTHING else "missing")


def _reads_as(choice: object, text: str, number: float | None) -> bool:
    """Whether stored text means a choice: "true" is True, "0.10" is 0.1, 64 is "64"."""
    if isinstance(choice, bool) or choice is None:
        return text.lower() == str(choice).lower()
    if is_number(choice):
        return number is not None and number == choice
    return text == str(choice)


def _is_on_grid(distribution: FloatDistribution, step: float, number: float) -> bool:
    steps = (number - distribution.low) / step
    # Far from zero two neighbouring floats may lie more than the tolerance apart.
    spacing = math.ulp(max(abs(distribution.low), abs(distribution.high))) / step
    return abs(steps - round(steps)) < GRID_TOLERANCE + 4 * spacing

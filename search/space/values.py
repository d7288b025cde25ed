"""What one hyperparameter may be: values against a single Optuna distribution.

For membership, reading what foreign stores held, drawing and counting. Not for several
hyperparameters at once: what is active when is `search/space/space.py`. Optuna keeps its own
membership test private, so the few lines of it are written out here.
"""

import math
import numbers
import reprlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

# Relative to one step: Optuna's own tolerance for a float that should lie on a grid.
GRID_TOLERANCE = 1e-8
# Of a range: an end that passed through text may have lost its last digit.
_SLACK = 1e-9
# What stores write where there was nothing: their params are text.
_NOTHING = frozenset({"", "none", "null", "nan"})


class Read(NamedTuple):
    """A foreign value in a distribution's terms.

    `problem` is empty, or "outside" (a number beyond the range), "between" (off its grid),
    "vanished" (a category it lacks) or "missing" (nothing, or nothing that can be read). `value` is
    None for the last two.
    """

    value: Any
    problem: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is a value, wherever it lies."""
        return self.problem not in ("vanished", "missing")


def brief(value: object) -> str:
    """A value as short text; never raises, whatever a foreign store held."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to print integers beyond 4,300 digits
        return f"a very long {type(value).__name__}"


def is_same(first: object, second: object) -> bool:
    """Whether two values are one category: 1 equals 1.0, but True is not 1."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if is_number(first) and is_number(second):
        return bool(first == second)
    return type(first) is type(second) and bool(first == second)


def index_of(distribution: CategoricalDistribution, value: object) -> int | None:
    """The place of a category among the choices; None if it is none of them.

    `choices.index` would find 0 for False, which Python takes for equal.
    """
    places = (i for i, choice in enumerate(distribution.choices) if is_same(choice, value))
    return next(places, None)


def is_number(value: object) -> bool:
    """Whether a value is a real number; booleans are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def read_number(value: object) -> int | float | None:
    """A finite number from a number or its text; None for anything else. Never raises."""
    if isinstance(value, bool):
        return None
    if isinstance(value, numbers.Integral):
        return int(value)
    if not isinstance(value, numbers.Real | str):
        return None
    try:
        return int(value) if isinstance(value, str) else _finite(float(value))
    except (ValueError, OverflowError):
        pass
    try:
        return _finite(float(value))
    except (ValueError, OverflowError):
        return None


def describe(distribution: BaseDistribution) -> str:
    """The legal values as text: `0.001 to 0.3`, `16 to 64 in steps of 16`, `'sgd', 'adamw'`."""
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
    if distribution.step is None:
        return True
    return _is_on_grid(distribution, distribution.step, float(value))


def read(distribution: BaseDistribution, value: object) -> Read:
    """A foreign value in a distribution's terms: `"64"` becomes 64, and 300 stays beyond 256.

    Args:
        distribution: What the value is of.
        value: Anything a store may have held, such as text, None, NaN or a list. Never raises.
    """
    if _is_plain(distribution, value):
        return Read(value)
    if isinstance(distribution, CategoricalDistribution):
        return _read_category(distribution, value)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    number = read_number(value)
    if number is None or abs(number) > sys.float_info.max:
        return Read(None, "missing")
    if distribution.log and number <= 0:  # a logarithmic range has no place for 0
        return Read(None, "missing")
    low, high = distribution.low, distribution.high
    inside = min(max(number, low), high)
    if abs(number - inside) <= _SLACK * (float(high) - float(low)):
        legal = nearest(distribution, inside)
        # NOTE: without a tolerance 0.30000000000000004 would lie between the values of a grid.
        if abs(legal - inside) <= GRID_TOLERANCE * max(abs(inside), distribution.step or 0):
            return Read(legal)
    is_whole = isinstance(distribution, IntDistribution) and float(number).is_integer()
    problem = "between" if low <= number <= high else "outside"
    return Read(int(number) if is_whole else float(number), problem)


def nearest(distribution: BaseDistribution, value: Any) -> Any:
    """The legal value nearest to a number; a category has no neighbours and stays as it is."""
    if isinstance(distribution, CategoricalDistribution):
        return value
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    number = min(max(value, low), high)
    if isinstance(distribution, IntDistribution):
        # Whole numbers throughout: a float holds integers exactly only up to 2**53.
        step = distribution.step
        steps = (2 * (round(number) - distribution.low) + step) // (2 * step)
        return min(distribution.low + steps * step, distribution.high)
    if distribution.step is None or _is_on_grid(distribution, distribution.step, number):
        return float(number)
    steps = round((number - low) / distribution.step)
    return float(min(low + steps * distribution.step, high))


def canonical(distribution: BaseDistribution, value: Any) -> Any:
    """One form of equal values: 1.0 for 1 where floats are meant, one float a point of a grid."""
    if not isinstance(distribution, FloatDistribution) or not is_number(value):
        return value
    if distribution.step is None or not holds(distribution, value):
        return float(value)
    steps = round((float(value) - distribution.low) / distribution.step)
    return distribution.low + steps * distribution.step


def draw(distribution: BaseDistribution, generator: np.random.Generator) -> Any:
    """One value at random: uniform in a range, in its logarithm, or over the choices."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(generator.integers(len(distribution.choices)))]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            # Half a unit either side gives the end points the same share as their neighbours.
            exponent = generator.uniform(math.log(low - 0.5), math.log(high + 0.5))
            return min(max(round(math.exp(exponent)), int(low)), int(high))
        steps = (int(high) - int(low)) // distribution.step
        return int(low) + int(generator.integers(steps + 1)) * distribution.step
    if distribution.step is not None:
        steps = round((high - low) / distribution.step)
        return nearest(distribution, low + int(generator.integers(steps + 1)) * distribution.step)
    if distribution.log:
        exponent = generator.uniform(math.log(low), math.log(high))
        return min(max(math.exp(exponent), low), high)
    return float(generator.uniform(low, high))


def count(distribution: BaseDistribution) -> int | None:
    """How many values a distribution holds; None if it is continuous."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    if distribution.low == distribution.high:
        return 1
    if distribution.step is None:
        return None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def values(distribution: BaseDistribution) -> Iterable[Any]:
    """The values of a distribution that `count` can count, in their order."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    low, step = distribution.low, distribution.step or 0.0
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
    """Whether a value fits as it is. Most do, and this is several times faster than reading."""
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
    for choice in distribution.choices:
        if is_same(choice, value):
            return Read(choice)
    text = value.strip() if isinstance(value, str) else brief(value)
    number = read_number(value)
    for choice in distribution.choices:
        if _reads_as(choice, text, number):
            return Read(choice)
    for choice in distribution.choices:  # 64.0 is "64": a range of then is a list of texts now
        if number is not None and read_number(choice) == number:
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


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _is_on_grid(distribution: FloatDistribution, step: float, number: float) -> bool:
    steps = (number - distribution.low) / step
    # Far from zero two neighbouring floats may be more than the tolerance of a step apart.
    spacing = math.ulp(max(abs(distribution.low), abs(distribution.high))) / step
    return abs(steps - round(steps)) < GRID_TOLERANCE * max(1.0, steps) + 4 * spacing

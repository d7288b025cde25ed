"""A hyperparameter of a model, its legal values and its default.

The tables of the models are in `cnn.py` and `transformer.py`. They are no search space: ranges are
the legal ones, which a specification narrows. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

Value = bool | int | float | str

# The hyperparameters of a user's own network: whatever the space names so.
OWN_PREFIX = "model."


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of a model, with its legal values and its default.

    `when` maps a parent to the values under which this one has an effect; empty: always.
    `default_from` names the hyperparameter whose value is the default of this one, where that has a
    value; "": none does. Then a configuration from before this one existed means what it meant.
    """

    name: str
    kind: Literal["float", "int", "categorical"]
    default: Value
    low: float | int | None = None
    high: float | int | None = None
    choices: tuple[Value, ...] | None = None
    meaning: str = ""
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    default_from: str = ""

    def check(self, value: Value) -> Value:
        """Return `value` in this hyperparameter's type (1 becomes 1.0 for a float).

        Raises:
            ValueError: the value is of another type, not finite, or out of range.
        """
        if self.choices is not None:
            if not any(value == c and type(value) is type(c) for c in self.choices):
                raise ValueError(
                    f"{self.name} is {value!r}; fix: choose one of {list(self.choices)}"
                )
            return value
        assert self.low is not None and self.high is not None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{self.name} is {value!r}; fix: give a number ({self.kind})")
        # In this form NaN, for which every comparison is false, is refused as well.
        if not self.low <= value <= self.high:
            raise ValueError(
                f"{self.name} is {value!r}; fix: give a value in [{self.low}, {self.high}]"
            )
        if self.kind == "float":
            return float(value)
        if value != int(value):
            raise ValueError(f"{self.name} is {value!r}; fix: give a whole number")
        return int(value)


def choice(
    name: str,
    default: Value,
    choices: tuple[Value, ...],
    meaning: str,
    **when: Value | tuple[Value, ...],
) -> Hyperparameter:
    """Return a hyperparameter with several values.

    Keywords name the parent it depends on, and the parent's value, or values, under which it is
    active.
    """
    return Hyperparameter(
        name, "categorical", default, choices=choices, meaning=meaning, when=_values(when)
    )


def number(
    name: str,
    default: float,
    low: float,
    high: float,
    meaning: str,
    **when: Value | tuple[Value, ...],
) -> Hyperparameter:
    """Return a float or int one, by the type of its default; keywords as for `choice`."""
    kind: Literal["float", "int"] = "int" if isinstance(default, int) else "float"
    return Hyperparameter(name, kind, default, low, high, meaning=meaning, when=_values(when))


def _values(when: Mapping[str, Value | tuple[Value, ...]]) -> dict[str, tuple[Value, ...]]:
    return {name: each if isinstance(each, tuple) else (each,) for name, each in when.items()}


def usual(hyperparameter: Hyperparameter, values: Mapping[str, Any]) -> Any:
    """Return the default of `hyperparameter` next to the `values` of others, checked or not."""
    return values.get(hyperparameter.default_from, hyperparameter.default)


def is_active(hyperparameter: Hyperparameter, values: Mapping[str, Value]) -> bool:
    """Return whether `hyperparameter` has an effect under the parents' `values`."""
    return all(values.get(parent) in allowed for parent, allowed in hyperparameter.when.items())


def read_whole(value: Any) -> Any:
    """Return a float that is a whole number as an integer, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Field(strict=True), BeforeValidator(read_whole)]
# Readers of stores take counts of 32 bits (`LARGEST_COUNT`), so a larger one would be lost there.
LARGEST_COUNT = 2**31
Counted = Annotated[Whole, Field(ge=1, lt=LARGEST_COUNT)]
NotNegative = Annotated[Whole, Field(ge=0, lt=LARGEST_COUNT)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]

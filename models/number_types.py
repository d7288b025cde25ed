"""Types of the numbers in settings, for pydantic: what is wrong with one is said, never converted.

A whole number may be written 10.0 or 1e3, as YAML and JSON do; `true` and "10" are no numbers.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def read_whole(value: Any) -> Any:
    """Return a float that is a whole number as an integer, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Field(strict=True), BeforeValidator(read_whole)]
Counted = Annotated[Whole, Field(ge=1)]
NotNegative = Annotated[Whole, Field(ge=0)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]

"""Parts of a record in a store that anybody can write to: one of the wrong type is unknown.

The parts of an origin (`provenance.py`, `forecast.py`, `risk.py`, `revalidation.py`) and what an
Optuna trial says of its cost are read by these functions, none of which raises.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from models.hyperparameters.hyperparameter import LARGEST_COUNT

# Our names of tasks and runs are shorter.
LONGEST_NAME = 250


def mapping_of(value: object) -> Mapping[Any, Any]:
    """Return a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def number_of(value: object, otherwise: float = math.nan) -> float:
    """Return a finite number as a float; `otherwise` for anything else, as a too large integer."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return float(value) if abs(value) <= sys.float_info.max else otherwise


def count_of(value: object) -> int | None:
    """Return a whole number of 0 or more that a count can be; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < LARGEST_COUNT else None


def line_of(value: object) -> str:
    """Return one line of printable text; other characters become "?". Not text: ""."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 4 * LONGEST_NAME].split())[:LONGEST_NAME]
    return "".join(character if character.isprintable() else "?" for character in line)

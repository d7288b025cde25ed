"""Work: what trials cost in FLOP, which does not depend on the machine that trains them.

How it is counted: `models/training/work.py`. A user's own function may report it, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

# Metrics of every epoch, the evaluation and the confirmation after it included.
WORK = "work.epoch"
SECONDS = "seconds.epoch"

_UNITS = ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP")


def work_of(curves: Mapping[str, Mapping[int, float | None]]) -> float:
    """Return the FLOP of all epochs of a trial; 0 if they are unknown.

    What cannot be work is left out: a user's function may report any number.
    """
    values = [value for value in curves.get(WORK, {}).values() if value is not None]
    return sum(value for value in values if math.isfinite(value) and value > 0)


def work_text(flop: float) -> str:
    """Return work to read: "695 kFLOP", "3.2 TFLOP"; "" for 0."""
    if flop <= 0:
        return ""
    size, unit = flop, 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if size < 9.95 and unit else f"{size:.0f} {_UNITS[unit]}"

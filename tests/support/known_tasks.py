"""Trials of a task that was searched before, and the noise of its objectives."""

from __future__ import annotations

from typing import Any

from search.experience import Noise
from search.history import Trial
from search.objectives import Objective

ACCURACY = Objective("accuracy", "maximize")
BOTH = (ACCURACY, Objective("seconds", "minimize"))


def earlier(x: int, *values: float, number: int = 0, **changes: Any) -> Trial:
    fields: dict[str, Any] = {
        "state": "complete", "configuration": {"x": x}, "values": values, "search": "first",
        "objectives": BOTH[: len(values)], "number": number or x, "run_id": f"r{x}",
        "task": "digits", "seconds": 10.0,
    }  # fmt: skip
    return Trial(**fields | changes)


def noise(deviation: float, repeats: int = 10, metric: str = "accuracy") -> Noise:
    ends = (deviation / 2, deviation * 2)
    return Noise(metric, deviation, *ends, repeats, 3 * deviation, True, (), ())

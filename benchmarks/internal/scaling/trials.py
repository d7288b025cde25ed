"""The trials of the scaling benchmark: they sleep, and say when they reported.

A file of its own, because workers import it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Epochs differ by this much, so that trials that began together do not report in step.
JITTER = 0.25


def sleeping(
    configuration: Mapping[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Sleep in every epoch as long as the file `pace_file` says then (mean seconds).

    `slept` is how long, `reported` when (seconds since 1970): what comes after it is not the
    trial's own time.
    """
    generator = np.random.default_rng(seed)
    place = Path(str(configuration["pace_file"]))
    x, y = float(configuration["x"]), float(configuration["y"])
    for epoch in range(1, epochs + 1):
        slept = float(place.read_text()) * generator.uniform(1 - JITTER, 1 + JITTER)
        time.sleep(slept)
        gain = epoch / epochs
        yield {
            "score": gain * (1 - (x - 0.3) ** 2),
            "cost": (x - y) ** 2,
            "slept": slept,
            "reported": time.time(),
        }

"""The trials of benchmarks/overhead.py, as generators that yield one metrics dict an epoch.

As `model: python:benchmarks.overhead_trials:NAME` for this system; plain_tune.py calls the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

EPOCH_SECONDS = 3.0


def nothing(
    configuration: Mapping[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """No work at all, to measure everything around it."""
    for _ in range(epochs):
        x = float(configuration["x"])
        yield {"left": x, "right": -x, "seconds.train": 0.0}


def burning(
    configuration: Mapping[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Keeps a core busy for `EPOCH_SECONDS` an epoch, whatever else the machine does."""
    matrix = np.random.default_rng(seed).random((128, 128))
    for _ in range(epochs):
        began = time.perf_counter()
        while time.perf_counter() - began < EPOCH_SECONDS:
            matrix = np.tanh(matrix @ matrix / 128)
        x = float(configuration["x"])
        seconds = time.perf_counter() - began
        yield {"left": x, "right": -x, "seconds.train": seconds}

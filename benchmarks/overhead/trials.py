"""The trials of the overhead benchmark, as generators that yield one metrics dict an epoch.

This system uses them as `train: python:benchmarks.overhead.trials:NAME`, plain_tune.py directly.
A file of its own, because workers import it.
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
    """Do no work at all, to measure everything around it."""
    for _ in range(epochs):
        x = float(configuration["x"])
        yield {"left": x, "right": -x, "seconds.train": 0.0}


def burning(
    configuration: Mapping[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Keep a core busy for `EPOCH_SECONDS` an epoch, whatever else the machine does."""
    matrix = np.random.default_rng(seed).random((128, 128))
    for _ in range(epochs):
        began = time.perf_counter()
        while time.perf_counter() - began < EPOCH_SECONDS:
            matrix = np.tanh(matrix @ matrix / 128)
        x = float(configuration["x"])
        seconds = time.perf_counter() - began
        yield {"left": x, "right": -x, "seconds.train": seconds}

"""Training functions that tests search over instead of a network: quick, slow, broken in every way.

Each is a generator of one metrics dict an epoch, as `model: python:tests.functions:NAME` wants.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from typing import Any


def two_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Two objectives that disagree about x; both rise with the epoch."""
    x = float(configuration["x"])
    for epoch in range(1, epochs + 1):
        share = epoch / epochs
        yield {"left": share * math.exp(-(x**2)), "right": share * math.exp(-((x - 1) ** 2))}


def slow_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """The same, with time for a test to kill something in the middle of it."""
    for metrics in two_hills(configuration, epochs=epochs, seed=seed):
        time.sleep(float(configuration.get("pause", 0.3)))
        yield metrics


def sometimes_broken(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Raises, returns NaN, runs out of memory or dies, as `fault` says."""
    fault = configuration["fault"]
    for epoch, metrics in enumerate(two_hills(configuration, epochs=epochs, seed=seed), start=1):
        if epoch == 2 and fault == "raises":
            raise RuntimeError("this trial is broken <b>on purpose</b>")
        if epoch == 2 and fault == "nan":
            metrics["left"] = math.nan
        if epoch == 2 and fault == "memory":
            bytearray(1 << 60)
        if epoch == 2 and fault == "dies":
            os._exit(13)
        yield metrics


def nothing(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    """One epoch of no work at all, to measure everything around it."""
    for _ in range(epochs):
        yield {"left": float(configuration["x"]), "right": -float(configuration["x"])}

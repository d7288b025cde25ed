"""The loop of epochs that the trainings of this folder share: learn, judge, report.

Not for what is learned or judged, nor for a user's own function, which has a loop of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from models.scores.metric_names import on_split


class Learning(Protocol):
    """The weights in training and their optimizer."""

    def epoch(self, number: int) -> float:
        """Train epoch `number`, from 0, and return its mean loss over examples."""

    def is_finite(self) -> bool:
        """Whether all weights that are trained are finite."""


class TrainingProgress(Protocol):
    """How far a training is: epochs done, whether it goes on, whether it stopped being finite."""

    epoch: int
    ended: bool
    diverged: bool


def run_epochs(
    progress: TrainingProgress, learning: Learning, judge: Callable[[], Mapping[str, float]]
) -> Iterator[dict[str, float]]:
    """Train the epochs that are left, yielding each one's metrics after it.

    Args:
        progress: `epoch` and `diverged` are written after every epoch, before `judge`.
        learning: trains.
        judge: returns the metrics of the epoch done and says by `ended` whether it was the last.
    """
    while not progress.ended:
        begun = time.perf_counter()
        loss = learning.epoch(progress.epoch)
        trained = time.perf_counter()
        progress.epoch += 1
        progress.diverged = not (math.isfinite(loss) and learning.is_finite())
        metrics = {"epoch": float(progress.epoch), "loss.train": loss, **judge()}
        metrics["seconds.train"] = trained - begun
        metrics["seconds.evaluation"] = time.perf_counter() - trained
        yield metrics


def name_as_test(measured: Mapping[str, float], *, diverged: bool) -> dict[str, float]:
    """Name metrics of the test split as such; all are NaN after divergence."""
    return {
        on_split("test", name): math.nan if diverged else value for name, value in measured.items()
    }

"""The loop over epochs that the trainings of this folder share, and the randomness of an epoch.

A user's own function has a loop of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch

from models.scores.metric_names import on_split
from models.training.work import WorkMeter


class Optimization(Protocol):
    """The weights in training and their optimizer."""

    def epoch(self, number: int) -> float:
        """Train epoch `number`, from 0, and return its mean loss over examples."""

    def is_finite(self) -> bool:
        """Whether all weights that are trained are finite."""


class TrainingProgress(Protocol):
    """The progress of a training: epochs done, whether it has ended, whether it has diverged."""

    epoch: int
    ended: bool
    diverged: bool


def run_epochs(
    progress: TrainingProgress,
    optimization: Optimization,
    evaluate: Callable[[], Mapping[str, float]],
    meter: WorkMeter,
    costs: Callable[[], Mapping[str, float]],
) -> Iterator[dict[str, float]]:
    """Train the epochs that are left, yielding each one's metrics after it.

    Args:
        progress: `epoch` and `diverged` are set after every epoch, before `evaluate`.
        optimization: trains an epoch.
        evaluate: returns the metrics of the epoch done and sets `ended` after the last one.
        meter: counts the work of both.
        costs: measures what the model costs (`costs.py`). It is called once, after the first epoch
            here: the scheduler may compare it after every one, and it does not depend on weights.
    """
    model_costs: Mapping[str, float] = {}
    while not progress.ended:
        begun = time.perf_counter()
        with meter.counting() as training:
            loss = optimization.epoch(progress.epoch)
        trained = time.perf_counter()
        progress.epoch += 1
        progress.diverged = not (math.isfinite(loss) and optimization.is_finite())
        with meter.counting() as evaluation:
            metrics = {"epoch": float(progress.epoch), "loss.train": loss, **evaluate()}
        metrics["seconds.train"] = trained - begun
        metrics["seconds.evaluation"] = time.perf_counter() - trained
        metrics |= {"work.train": training.flop, "work.evaluation": evaluation.flop}
        model_costs = model_costs or costs()
        yield {**metrics, **model_costs}


@contextmanager
def seeded_epoch(seed: int, number: int, device: torch.device) -> Iterator[int]:
    """Yield the seed of all randomness of epoch `number`, which follows from (seed, number) alone.

    Within, torch's global generators, which dropout draws from, begin with it; afterwards they
    continue as they were.
    """
    mixed = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)
    drawn = int(mixed[0] >> np.uint64(1))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(drawn)
        yield drawn


def name_as_test(measured: Mapping[str, float], *, diverged: bool) -> dict[str, float]:
    """Return metrics under their names on the test split; all are NaN after divergence."""
    return {
        on_split("test", name): math.nan if diverged else value for name, value in measured.items()
    }

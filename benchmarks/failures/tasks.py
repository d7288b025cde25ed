"""Simulated trainings: a loss with its optimum at the edge of what fails.

A family of tasks shares the form of its loss and of its two failing regions; the places differ from
task to task. Memory runs out where width, batch size and depth are large together; the training
diverges where the learning rate is large, earlier in a deep network. Wide networks are better, so
the best configuration that trains lies at the edge of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from search.apply.proposal_source import seed_of
from search.space import SearchSpace
from search.space.encoding import encode

Floats = NDArray[np.float64]

DISTRIBUTIONS: Mapping[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1e-5, 1.0, log=True),
    "width": IntDistribution(16, 4096, log=True),
    "batch_size": IntDistribution(8, 2048, log=True),
    "depth": IntDistribution(1, 8),
    "dropout": FloatDistribution(0.0, 0.6),
}
SPACE = SearchSpace.from_distributions(dict(DISTRIBUTIONS))
MEMORY, DIVERGED = "out of memory", "not finite: loss"
# Where memory ends and divergence begins in the middle of the family; .60 of the space fails.
_MEMORY_AT, _DIVERGES_AT = 1.35, 0.80
# The best place of each hyperparameter in the middle of the family, how far tasks are from it, and
# what a distance costs.
_BEST, _SPREAD = np.array([0.60, 1.0, 0.40, 0.50, 0.35]), np.array([0.06, 0.0, 0.08, 0.10, 0.10])
_STEEPNESS = np.array([3.0, 0.8, 0.8, 0.4, 0.4])
# Configurations from which the best one and the median are computed.
_SAMPLED = 100_000


@dataclass(frozen=True)
class Task:
    """One task of the family.

    Attributes:
        best: The place of the best value of each hyperparameter, in [0, 1].
        memory_at: Width, batch size and half of depth together run out of memory from here on.
        diverges_at: The learning rate and a quarter of depth diverge from here on.
        is_mirrored: Whether it fails where others do not: all places are reflected.
    """

    best: Floats
    memory_at: float
    diverges_at: float
    is_mirrored: bool = False

    def losses(self, points: Floats) -> Floats:
        """Return the losses of encoded configurations, `(n,)`, as if none failed."""
        away = points - self.best
        away[:, 0] -= 0.2 * (points[:, 2] - 0.5)  # larger batches want larger learning rates
        return np.asarray((away**2) @ _STEEPNESS)

    def reasons(self, points: Floats) -> list[str]:
        """Return why each configuration fails; "" where it does not."""
        places = 1.0 - points if self.is_mirrored else points
        memory = places[:, 1] + places[:, 2] + 0.5 * places[:, 3]
        rates = places[:, 0] + 0.25 * places[:, 3]
        return [
            MEMORY if used > self.memory_at else DIVERGED if rate > self.diverges_at else ""
            for used, rate in zip(memory, rates, strict=True)
        ]

    def evaluate(self, configuration: Mapping[str, Any]) -> tuple[float, str]:
        """Return the loss of a configuration and why it fails, "" if it does not."""
        point = encode(SPACE, [configuration])
        return float(self.losses(point)[0]), self.reasons(point)[0]

    def regret(self, loss: float) -> float:
        """Return how much is missing: 0 is the best that trains, 1 the median of what trains."""
        best, median = self._scale
        return min((loss - best) / (median - best), 1.0)

    @cached_property
    def _scale(self) -> tuple[float, float]:
        points = np.random.default_rng(0).random((_SAMPLED, len(self.best)))
        losses = self.losses(points)[[not reason for reason in self.reasons(points)]]
        return float(losses.min()), float(np.median(losses))


def task_of(
    seed: int, place: int, *, more_memory: float = 0.0, more_rate: float = 0.0,
    is_mirrored: bool = False,
) -> Task:  # fmt: skip
    """Return a task of the family; place 0 is the target of a repetition.

    Args:
        seed: The repetition.
        place: Which of its tasks.
        more_memory: How much further out memory ends.
        more_rate: How much further out divergence begins.
        is_mirrored: Whether it fails at the other ends.
    """
    generator = np.random.default_rng(seed_of(seed, "benchmarks.failures", place))
    best = np.clip(_BEST + _SPREAD * generator.standard_normal(len(_BEST)), 0.0, 1.0)
    memory, rate = generator.normal(0.0, 0.12), generator.normal(0.0, 0.06)
    return Task(
        best, _MEMORY_AT + memory + more_memory, _DIVERGES_AT + rate + more_rate, is_mirrored
    )

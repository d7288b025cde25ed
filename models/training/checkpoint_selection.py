"""Which epoch's weights a training on images keeps: bookkeeping alone, no weights in here.

It is the latest epoch that is not clearly worse than the best so far. On few examples the highest
score is often an early epoch's luck, so one within a standard error counts as equal (the
one-standard-error rule of Breiman et al. 1984); what robust overfitting (Rice et al. 2020) costs
is many points and is caught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EpochChoice:
    """What was picked so far.

    Attributes:
        picked: The epoch to keep, from 1; 0 before the first.
        stale: Epochs since the best one.
        best: Scores (n,) of the best epoch, the same examples each time; empty before the first.
    """

    picked: int = 0
    stale: int = 0
    best: Scores = field(default_factory=lambda: np.empty(0))

    def after(self, epoch: int, scores: Scores) -> EpochChoice:
        """The choice once `epoch`'s scores (n,), n > 0, higher is better, are known.

        An epoch is kept if its mean is at most one standard error of the paired differences below
        the best. No earlier one can become the latest such epoch later: a new best is kept itself.

        Raises:
            ValueError: not as many scores as before.
        """
        if len(self.best) == 0:
            return EpochChoice(epoch, 0, scores)
        if len(scores) != len(self.best):
            raise ValueError(f"{len(scores)} scores after {len(self.best)}: give the same examples")
        behind = self.best - scores
        if behind.mean() < 0:
            return EpochChoice(epoch, 0, scores)
        error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else 0.0
        picked = epoch if behind.mean() <= error else self.picked
        return EpochChoice(picked, self.stale + 1, self.best)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"picked": self.picked, "stale": self.stale, "best": torch.from_numpy(self.best)}

    @staticmethod
    def of(state: Mapping[str, Any]) -> EpochChoice:
        """What `state` was taken from."""
        return EpochChoice(state["picked"], state["stale"], state["best"].numpy())

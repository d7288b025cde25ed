"""The choice of the epoch whose weights a training on images keeps.

It is the latest epoch that is not clearly worse than the best so far. On few examples the highest
score is often chance, so an epoch within one standard error counts as equal (the one-standard-error
rule of Breiman et al. 1984); robust overfitting (Rice et al. 2020) costs many points and is
detected. Only scores are kept here, no weights.
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
class SelectedEpoch:
    """The choice so far.

    Attributes:
        picked: The epoch to keep, from 1; 0 before the first.
        stale: Epochs since the best one.
        best: Scores (n,) of the best epoch, on the same examples each time; empty at first.
    """

    picked: int = 0
    stale: int = 0
    best: Scores = field(default_factory=lambda: np.empty(0))

    def after(self, epoch: int, scores: Scores) -> SelectedEpoch:
        """Return the choice after `epoch` with its scores (n,), n > 0, higher is better.

        An epoch is kept if its mean is at most one standard error of the paired differences below
        the best. Earlier epochs need no second look, because a new best is kept itself.

        Raises:
            ValueError: the number of scores differs from before.
        """
        if len(self.best) == 0:
            return SelectedEpoch(epoch, 0, scores)
        if len(scores) != len(self.best):
            raise ValueError(
                f"{len(scores)} scores after {len(self.best)}; fix: give the same examples"
            )
        behind = self.best - scores
        if behind.mean() < 0:
            return SelectedEpoch(epoch, 0, scores)
        error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else 0.0
        picked = epoch if behind.mean() <= error else self.picked
        return SelectedEpoch(picked, self.stale + 1, self.best)

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"picked": self.picked, "stale": self.stale, "best": torch.from_numpy(self.best)}

    @staticmethod
    def of(state: Mapping[str, Any]) -> SelectedEpoch:
        """Return the choice that `state` was taken from."""
        return SelectedEpoch(state["picked"], state["stale"], state["best"].numpy())

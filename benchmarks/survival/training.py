"""What the searches of the survival benchmark train: nothing, with a note of every epoch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.training.trial_context import TrialContext

EPOCH_SECONDS = 0.3


def scores(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    """Yields one score an epoch; without checkpoints, so a trial that is cut off starts again."""
    for epoch in range(1, epochs + 1):
        yield _train(configuration, epoch, epochs)


def with_checkpoints(configuration: dict[str, Any], trial: TrialContext) -> None:
    """Reports one score an epoch, with a checkpoint of its own."""
    done = trial.checkpoint["done"] if isinstance(trial.checkpoint, Mapping) else 0
    for epoch in range(done + 1, trial.epochs + 1):
        trial.report(_train(configuration, epoch, trial.epochs), checkpoint={"done": epoch})


def _train(configuration: Mapping[str, Any], epoch: int, epochs: int) -> dict[str, float]:
    time.sleep(EPOCH_SECONDS)
    note = {"x": configuration["x"], "epoch": epoch, "time": time.time() * 1000}
    with Path(configuration["trained"]).open("a") as file:
        file.write(json.dumps(note) + "\n")
    return {"score": float(configuration["x"]) * epoch / epochs}

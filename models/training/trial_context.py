"""TrialContext: what a user's own training function is given as `trial`.

`def train(configuration, trial)` trains epoch by epoch, calls `trial.report` after each, and
continues from `trial.checkpoint` if there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import AnyThreat, Threat
from models.training.function_thread import FunctionThread
from models.training.reported import checked_folder, checked_metrics, checked_state

if TYPE_CHECKING:
    from models.data.loading import Splits

Checkpoint = Mapping[str, Any] | Path


@dataclass(frozen=True)
class TrialPlace:
    """Where a trial runs, and on what.

    Attributes:
        folder: The trial's own folder.
        checkpoints: The folder that checkpoint folders are copied into.
        device: "cuda" or "cpu".
        data: The splits that the task names; None if it names no data.
        threat: The threat of the spec's section `robustness`.
        threads: The number of threads that torch may compute with; 0 for its own default.
    """

    folder: Path
    checkpoints: Path
    device: str = "cpu"
    data: Splits | None = None
    threat: AnyThreat = field(default_factory=Threat)
    threads: int = 0


@dataclass(frozen=True)
class Report:
    """One epoch as it was reported, with what to continue from if that was reported too."""

    epoch: int
    metrics: dict[str, float]
    checkpoint: Checkpoint | None


class TrialContext:
    """The trial that a training function trains.

    Attributes:
        epochs: The full budget of a trial.
        seed: The trial's seed.
        device: "cuda" or "cpu".
        folder: The trial's own folder, which stays; `log.txt` in it has what the function prints.
        data: The splits that the task names, `models.data.loading.ImageSplits` or
            `models.data.text.splits.TextSplits`; None if it names no data.
        threat: The threat of the spec's section `robustness`, for `search.robustness.evaluate`.
        epoch: The epochs done: those of `checkpoint` at first, then those reported.
        checkpoint: The newest checkpoint that was reported, also by an attempt that was cut off: a
            state, or the path of a copy of a folder; None at first.
    """

    def __init__(
        self,
        place: TrialPlace,
        *,
        epochs: int,
        seed: int,
        epoch: int,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.epochs, self.seed = epochs, seed
        self.device, self.data, self.folder = place.device, place.data, place.folder
        self.threat = place.threat
        self.epoch, self.checkpoint = epoch, checkpoint
        self._first, self._skipped = epoch, 0
        self._thread: FunctionThread | None = None

    @property
    def should_stop(self) -> bool:
        """Whether nothing is left to train: the budget is used up, or the trial has ended."""
        is_ending = self._thread is not None and self._thread.is_ending
        return self.epoch >= self.epochs or is_ending

    def report(
        self, metrics: Mapping[str, float], checkpoint: Mapping[str, Any] | str | Path | None = None
    ) -> None:
        """Report the metrics of an epoch, and what to continue from if the trial is cut off.

        A trial that is stopped ends here: `finally` blocks run, and nothing after them.

        Args:
            metrics: Name to number.
            checkpoint: A state of tensors and plain values, saved by `torch.save`, or a folder,
                which is copied. Without one an interrupted trial continues from an earlier one.

        Raises:
            TypeError: a metric is no number, or the state would not load again.
            ValueError: the budget is used up, or there is no such folder.
        """
        found = checked_metrics(metrics)
        if self.epoch >= self.epochs:
            raise ValueError(self._too_many())
        if isinstance(checkpoint, str | Path):
            checkpoint = checked_folder(checkpoint)
        elif isinstance(checkpoint, Mapping):
            checked_state(checkpoint)
        elif checkpoint is not None:
            hint = "its .state_dict()" if hasattr(checkpoint, "state_dict") else "a dict"
            raise TypeError(f"checkpoint is of type {type(checkpoint).__name__}; fix: pass {hint}, "
                            "or the path of a folder")  # fmt: skip
        self.epoch += 1
        if self.epoch <= self._skipped:
            return  # it was reported before the trial was cut off
        if checkpoint is not None:
            self.checkpoint = checkpoint
        assert self._thread is not None, "the function runs in its thread"
        self._thread.hand_over(Report(self.epoch, found, checkpoint))

    def _too_many(self) -> str:
        text = f"reported epoch {self.epoch + 1} of a budget of {self.epochs} (budget.epochs)"
        if self._first:
            text += f"; it continued from its checkpoint of epoch {self._first}"
        return f"{text}; fix: `for epoch in range(trial.epoch, trial.epochs)`"

    def bind(self, thread: FunctionThread, skipped: int) -> None:
        """Report to this thread from now on, but not the first `skipped` epochs of the trial."""
        self._thread, self._skipped = thread, skipped

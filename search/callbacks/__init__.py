"""Callbacks that make a script with a trainer of another library a training function.

`TransformersCallback(trial)` is for `transformers.Trainer`, `LightningCallback(trial)` for the
trainer of `lightning.pytorch` or `pytorch_lightning`, whichever the script imports. Each reports
every epoch with a checkpoint, and stops the trainer at the budget. Metrics have the trainer's
names, with `_` for what no spec can hold: `val/loss` is `val_loss`. A library is imported when its
callback is made.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.training.trial_context import TrialContext

_LIGHTNINGS = ("lightning.pytorch", "pytorch_lightning")
_FILE = "trainer.ckpt"


def TransformersCallback(trial: TrialContext) -> Any:
    """Return a callback for `transformers.Trainer` that reports what each evaluation measures.

    With `eval_strategy="epoch"` and `save_strategy="epoch"` one epoch is one report, with the
    trainer's own checkpoint: `trainer.train(resume_from_checkpoint=trial.checkpoint)` continues
    from it. The trainer stops once `trial.epochs` evaluations were reported.
    """
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):  # type: ignore[misc]  # without types
        """Reports evaluations; with the checkpoint that is saved next, if one is."""

        def __init__(self) -> None:
            self._metrics: dict[str, float] = {}

        def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            metrics = kwargs.get("metrics") or {}
            self._metrics = _named(
                {name: each for name, each in metrics.items() if _is_number(each)}
            )
            if not control.should_save:  # otherwise `on_save` follows
                self._report(control, None)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self._report(control, folder)

        def _report(self, control: Any, folder: Path | None) -> None:
            if self._metrics and trial.epoch < trial.epochs:
                metrics, self._metrics = self._metrics, {}
                trial.report(metrics, checkpoint=folder)
            control.should_training_stop |= trial.should_stop

    return Reporting()


def LightningCallback(trial: TrialContext) -> Any:
    """Return a callback for Lightning's trainer that reports what each epoch has logged.

    `trainer.fit(model, ckpt_path=callback.ckpt_path)` continues from the trial's checkpoint. The
    trainer stops once `trial.epochs` epochs were reported.

    Raises:
        ImportError: neither `lightning` nor `pytorch_lightning` is installed.
    """
    stopping: Any = _lightning().callbacks.EarlyStopping

    class Reporting(stopping):  # type: ignore[misc]  # its class is known at run time only
        """Reports the metrics that were logged by the end of an epoch of training.

        As a kind of early stopping it is called after the module's own `on_train_epoch_end`, whose
        metrics and changes would else come an epoch late.
        """

        def __init__(self) -> None:
            super().__init__(monitor="")

        def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
            pass

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            pass

        ckpt_path = str(trial.checkpoint / _FILE) if isinstance(trial.checkpoint, Path) else None

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            folder = trial.folder / "lightning"
            trainer.save_checkpoint(folder / _FILE)
            if trainer.is_global_zero and trial.epoch < trial.epochs:
                trial.report(_named(trainer.callback_metrics), checkpoint=folder)
            trainer.should_stop |= trial.should_stop

    return Reporting()


def _lightning() -> Any:
    """Return the module of Lightning that the script uses: the one imported, else one installed."""
    for name in _LIGHTNINGS:
        if name in sys.modules:
            return sys.modules[name]
    for name in _LIGHTNINGS:
        if find_spec(name.partition(".")[0]) is not None:
            return import_module(name)
    raise ImportError("Lightning is not installed; fix: pip install lightning")


def _named(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"[^A-Za-z0-9_.]", "_", name): value for name, value in metrics.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

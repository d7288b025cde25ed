"""What the callbacks of trainers report: each epoch's metrics, under names that a spec holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.callbacks import LightningCallback, TransformersCallback


class Trial:
    """A trial that keeps what is reported."""

    epochs, checkpoint = 3, None

    def __init__(self, folder: Path) -> None:
        self.folder, self.reports = folder, list[dict[str, float]]()

    @property
    def epoch(self) -> int:
        return len(self.reports)

    @property
    def should_stop(self) -> bool:
        return self.epoch >= self.epochs

    def report(self, metrics: dict[str, Any], checkpoint: Path | None = None) -> None:
        assert checkpoint is None or checkpoint.is_dir()
        self.reports.append({name: float(value) for name, value in metrics.items()})


@pytest.mark.slow
def test_lightning_reports_what_the_module_logs_at_the_end_of_the_same_epoch(
    tmp_path: Path,
) -> None:
    pl = pytest.importorskip("lightning.pytorch", reason="the extra `dev` has Lightning")
    import torch

    class Module(pl.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, index: int) -> Any:
            return self.layer(batch).sum()

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val/epoch", float(self.current_epoch))

        def on_train_epoch_end(self) -> None:
            self.log("train/epoch", float(self.current_epoch))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    trial = Trial(tmp_path)
    trainer = pl.Trainer(
        max_epochs=9, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path,
        callbacks=[LightningCallback(trial)],  # type: ignore[arg-type]
    )  # fmt: skip
    data = torch.utils.data.DataLoader(torch.ones(2, 1))  # type: ignore[arg-type,var-annotated]
    trainer.fit(Module(), data, data)
    assert trial.reports == [{"train_epoch": n, "val_epoch": n} for n in (0.0, 1.0, 2.0)]


def test_the_names_of_transformers_become_those_of_a_spec(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    trial = Trial(tmp_path)
    callback = TransformersCallback(trial)  # type: ignore[arg-type]
    control = SimpleNamespace(should_save=False, should_training_stop=False)
    metrics = {"eval_top-5/accuracy": 0.5, "eval_loss": 1.0, "eval_notes": "good"}
    callback.on_evaluate(None, None, control, metrics=metrics)
    assert trial.reports == [{"eval_top_5_accuracy": 0.5, "eval_loss": 1.0}]

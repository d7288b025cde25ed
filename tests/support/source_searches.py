"""Searches in a store whose trials have checkpoints, written without training."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import yaml

from models.catalog import complete
from models.networks.cnn import CNN
from models.weights.checkpoints import save_checkpoint
from search import pipeline
from search.optimize.outcome import outcome_of
from search.optimize.plan import Plan
from search.spec import Spec, spec_from_yaml
from search.tracking.store import open_client
from search.tracking.write.journal import Journal
from search.tracking.write.journal_sender import Writer
from tests.support.stores import migrated_store

DIGITS = {"name": "digits", "train_examples": 100}
RATE = {"type": "float", "low": 1e-3, "high": 1e-2, "log": True}


def digits_spec(name: str, **changes: Any) -> Spec:
    """A search of a small CNN on digits; `changes` replace top-level keys."""
    record: dict[str, Any] = {
        "name": name,
        "task": {"name": "digits", "data": DIGITS, "model": "cnn",
                 "settings": {"optimizer": "adamw", "fully_connected_width": 8}},
        "objectives": [
            {"metric": "accuracy.clean", "direction": "maximize"},
            {"metric": "accuracy.robust", "direction": "maximize"},
        ],
        "space": {"adamw.learning_rate": RATE, "width": {"type": "int", "low": 2, "high": 8}},
        "budget": {"trials": 4, "epochs": 1},
        "scheduler": {"name": "none"},
    }  # fmt: skip
    return spec_from_yaml(yaml.safe_dump(record | changes))


@dataclass
class Shelf:
    """A store and a folder for checkpoints."""

    folder: Path

    def __post_init__(self) -> None:
        shutil.copy(migrated_store(), self.folder / "mlflow.db")
        self.uri = f"sqlite:///{self.folder / 'mlflow.db'}"

    def plan(self, spec: Spec) -> Plan:
        """A new search, prepared and put into the store like any other."""
        prepared = pipeline.prepare(spec, self.uri, say=lambda text: None)
        return pipeline.new_plan(prepared, self.uri, self.folder / "storage", None)

    def finish(
        self,
        plan: Plan,
        trials: list[tuple[dict[str, Any], list[float]]],
        doubted: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
    ) -> None:
        """Writes trials (configuration, values of both objectives) with checkpoints of a CNN."""
        for number, (configuration, _) in enumerate(trials):
            made = dict(plan.spec.complete(configuration))
            made.pop("initial_weights", None)
            torch.manual_seed(number)
            state = {"model": CNN(complete("cnn", made), (1, 8, 8), 10).state_dict()}
            save_checkpoint(plan.checkpoints(number), 1, 1, [{}], state)
        self.record(plan, trials, doubted)

    def record(
        self,
        plan: Plan,
        trials: list[tuple[dict[str, Any], list[float]]],
        doubted: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
    ) -> None:
        """Writes the runs of trials into the store; those in doubt fail, for these metrics."""
        journal = Journal(plan.storage, 1)
        for number, (configuration, values) in enumerate(trials):
            lineage = plan.lineage(configuration)
            journal.append(
                "start", number=number, configuration=configuration, origin={"step": "random"},
                checkpoints=str(plan.checkpoints(number)),
                **({"lineage": lineage} if lineage else {}),
            )  # fmt: skip
            metrics = dict(zip(plan.spec.metrics, values, strict=True)) | doubted.get(number, {})
            outcome = outcome_of(
                {"epoch": 1, "metrics": metrics}, plan.spec.metrics, 1, excludes_doubtful=True
            )
            journal.append("epoch", number=number, epoch=1, metrics=metrics)
            journal.append(
                "end", number=number, state=outcome.state, epoch=1, values=outcome.values,
                reason=outcome.reason,
                configuration=configuration, origin={"step": "random"},
            )  # fmt: skip
        writer = Writer(
            open_client(self.uri), plan.storage, search=plan.search, experiment=plan.experiment,
            summary_run=plan.summary_run, generation=1,
        )  # fmt: skip
        writer.drain()
        journal.close()


def configured(width: int, rate: float = 2e-3) -> dict[str, Any]:
    """A configuration in the space of `digits_spec`."""
    return {"adamw.learning_rate": rate, "width": width}

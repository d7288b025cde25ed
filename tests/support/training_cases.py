"""Trainings as a worker makes them, each of a small task: what `test_trainings.py` tests.

A new training is one more line of `TRAININGS`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.catalog import TextThreat, Threat, Value, complete, robust_metric
from models.data.loading import ImageSplits, Splits, load_images
from models.networks.base_model import locate_base
from models.training.protocol import Training
from search.objectives import Objective
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from tests.support.stepped_trials import task_of, with_epochs
from tests.support.tiny_models import tiny_vit
from tests.support.tiny_texts import tiny_base, tiny_texts

EPOCHS = 3
PIXELS = Threat(steps=2, cheap_steps=1, examples=10, cheap_examples=10)
WORDS = TextThreat(examples=4, cheap_examples=2, queries=10)


@dataclass(frozen=True, eq=False)
class Case:
    """A small task, and trials of it; their configurations are complete, as the driver's are.

    Attributes:
        task: `objectives` are in the last report of every training.
        data: None for a user's function.
        configuration: The configuration of the tested trial.
        other: The configuration of another trial.
        patient: The configuration of a trial that early stopping ends before `patient_epochs`;
            None if it cannot be stopped so.
        worker: Where its trainings are made, one after another, unless a test says otherwise.
    """

    task: TaskOnWorker
    data: Splits | None
    configuration: Mapping[str, Value]
    other: Mapping[str, Value]
    patient: Mapping[str, Value] | None = None
    patient_epochs: int = 8
    worker: WorkersBase = field(default_factory=WorkersBase)

    def make(
        self,
        configuration: Mapping[str, Value] | None = None,
        *,
        seed: int = 3,
        worker: WorkersBase | None = None,
    ) -> Training:
        """Makes a training whose search has no other trial: its attack memory is empty."""
        storage = Path(tempfile.mkdtemp(dir=self.task.storage))
        config = {
            "number": 0, "configuration": configuration or self.configuration, "seed": seed,
            "checkpoints": str(storage),
        }  # fmt: skip
        task = replace(self.task, storage=storage)
        return training_of(task, config, self.data, worker or self.worker)

    def make_patient(self) -> Training:
        """Makes a training that early stopping ends."""
        if self.patient is None:
            pytest.skip("it has no early stopping")
        return replace(self, task=with_epochs(self.task, self.patient_epochs)).make(self.patient)


def cnn(folder: Path) -> Case:
    # Batch normalisation, dropout, an average and attacks: state and chance of every kind.
    busy = {"width": 4, "fully_connected_width": 16, "batch_size": 16, "normalisation": "batch",
            "dropout": 0.3, "augmentation": "shift_flip", "schedule": "one_cycle",
            "adversarial_training": "free", "weight_averaging": "ema"}  # fmt: skip
    other = busy | {"adversarial_training": "fgsm", "optimizer": "sgd"}
    # So low a rate that no epoch is better than the first.
    patient = {"width": 4, "adamw.learning_rate": 1e-5, "patience": 1}
    return Case(
        images(folder, "cnn"), few_images(), complete("cnn", busy), complete("cnn", other),
        complete("cnn", patient),
    )  # fmt: skip


def image_fine_tuning(folder: Path) -> Case:
    model, lora = "vision_transformer", {"adaptation": "lora", "batch_size": 16}
    busy = lora | {"adversarial_training": "fgsm", "dropout": 0.1, "accumulation": 2}
    patient = lora | {"lora.learning_rate": 1e-5, "patience": 1}
    base = locate_base(str(tiny_vit(folder / "vit")))
    return Case(
        replace(images(folder, model), base=base), few_images(), complete(model, busy),
        complete(model, {"adaptation": "full", "batch_size": 16}), complete(model, patient),
    )  # fmt: skip


def text_fine_tuning(folder: Path) -> Case:
    model, data = "text_classifier", tiny_texts("classification")
    short = {"batch_size": 8, "max_length": 24}
    busy = short | {"adaptation": "lora", "adversarial_training": "freelb", "patience": 2}
    other = short | {"adaptation": "full", "full.learning_rate": 5e-3}
    # So high a rate that the validation loss soon rises.
    patient = other | {"full.learning_rate": 0.05, "schedule": "constant", "warmup_share": 0.0,
                       "patience": 1}  # fmt: skip
    task = task_of(
        folder, model=model, epochs=EPOCHS, threat=WORDS,
        objectives=both(robust_metric(model, WORDS)),
        base=tiny_base(folder / "bert", "classification", data.label_names).base,
    )  # fmt: skip
    return Case(task, data, *(complete(model, each) for each in (busy, other, patient)))


def own_network(folder: Path) -> Case:
    own = {"model.depth": 2, "model.width": 4}
    busy = own | {"batch_size": 16, "augmentation": "shift_flip", "weight_averaging": "swa",
                  "adversarial_training": "trades"}  # fmt: skip
    other = own | {"model.depth": 1, "optimizer": "sgd"}
    patient = own | {"adamw.learning_rate": 1e-5, "patience": 1}
    task = images(folder, "network", "python:tests.support.networks:resnet")
    return Case(task, few_images(), *(complete("network", each) for each in (busy, other, patient)))


def own_text_network(folder: Path) -> Case:
    data, own = tiny_texts("classification"), {"model.hidden": 8, "batch_size": 8, "max_length": 24}
    busy = own | {"learning_rate": 1e-3, "adversarial_training": "fgm", "patience": 2}
    other = own | {"learning_rate": 5e-3, "accumulation": 2}
    patient = other | {"learning_rate": 0.5, "schedule": "constant", "warmup_share": 0.0,
                       "patience": 1}  # fmt: skip
    network = "python:tests.support.networks:text_head"
    base = tiny_base(folder / "bert", "classification", data.label_names).base
    task = task_of(
        folder, network=network, epochs=EPOCHS, threat=WORDS, base=base,
        objectives=both(robust_metric("text_network", WORDS)),
    )  # fmt: skip
    complete_ones = (complete("text_network", each) for each in (busy, other, patient))
    return Case(task, data, *complete_ones)


def users_function(folder: Path) -> Case:
    return Case(task_of(folder, epochs=EPOCHS), None, {"x": 0.5}, {"x": 1.5})


def function_with_trial(folder: Path) -> Case:
    objective = (Objective("loss", "minimize"),)
    task = task_of(folder, "regression", epochs=EPOCHS, objectives=objective)
    return Case(task, None, {"learning_rate": 0.1}, {"learning_rate": 0.5})


def images(folder: Path, model: str, network: str = "") -> Any:
    objectives = both(robust_metric(model, PIXELS))
    what = {"network": network} if network else {"model": model}
    return task_of(folder, **what, epochs=EPOCHS, threat=PIXELS, objectives=objectives)


def both(robust: str) -> tuple[Objective, ...]:
    """Accuracy and its robust counterpart."""
    return (Objective("accuracy.clean", "maximize"), Objective(robust, "maximize"))


def few_images() -> ImageSplits:
    """48 images to learn from, 36 to validate and 12 to test, of three classes.

    Confirmation attacks with every wrong class as its target, so few classes are fast.
    """
    digits = load_images({"name": "digits"})
    few = {}
    for split, count in (("train", 48), ("validation", 36), ("test", 12)):
        images, labels = getattr(digits, f"{split}_images"), getattr(digits, f"{split}_labels")
        kept = np.flatnonzero(labels < 3)[:count]
        few |= {f"{split}_images": images[kept], f"{split}_labels": labels[kept]}
    return replace(digits, **few, label_names=digits.label_names[:3])


# Makes a small task in a folder, and trials of it.
TRAININGS: dict[str, Callable[[Path], Case]] = {
    "cnn": cnn,
    "image fine-tuning": image_fine_tuning,
    "text fine-tuning": text_fine_tuning,
    "own network": own_network,
    "own network on texts": own_text_network,
    "user's function": users_function,
    "user's function with its trial": function_with_trial,
}

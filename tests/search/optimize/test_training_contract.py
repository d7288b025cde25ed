"""Every training keeps its contract: a CNN, two fine-tunings, and a user's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.catalog import TextThreat, Threat, complete, robust_metric
from models.data.loading import ImageSplits, load_images
from models.networks.base_model import locate_base
from search.objectives import Objective
from tests.contracts import training as contract
from tests.contracts.training import Case
from tests.support.stepped_trials import task_of
from tests.support.tiny_models import tiny_vit
from tests.support.tiny_texts import tiny_base, tiny_texts

EPOCHS = 3
PIXELS = Threat(steps=2, cheap_steps=1, examples=10, cheap_examples=10)
WORDS = TextThreat(examples=4, cheap_examples=2, queries=10)


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


def users_function(folder: Path) -> Case:
    return Case(task_of(folder, epochs=EPOCHS), None, {"x": 0.5}, {"x": 1.5})


def images(folder: Path, model: str) -> Any:
    objectives = both(robust_metric(model, PIXELS))
    return task_of(folder, model=model, epochs=EPOCHS, threat=PIXELS, objectives=objectives)


def both(robust: str) -> tuple[Objective, ...]:
    """Returns the objectives: accuracy and robust accuracy."""
    return (Objective("accuracy.clean", "maximize"), Objective(robust, "maximize"))


def few_images() -> ImageSplits:
    """Makes 48 training, 36 validation and 12 test images of three classes.

    Confirmation attacks with every wrong class as its target, so few classes are fast.
    """
    digits = load_images({"name": "digits"})
    few = {}
    for split, count in (("train", 48), ("validation", 36), ("test", 12)):
        images, labels = getattr(digits, f"{split}_images"), getattr(digits, f"{split}_labels")
        kept = np.flatnonzero(labels < 3)[:count]
        few |= {f"{split}_images": images[kept], f"{split}_labels": labels[kept]}
    return replace(digits, **few, label_names=digits.label_names[:3])


MAKERS = (cnn, image_fine_tuning, text_fine_tuning, users_function)


@pytest.fixture(scope="module", params=MAKERS, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    made: Case = request.param(tmp_path_factory.mktemp("case"))
    return made


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)  # a training sets it


@pytest.mark.slow
@pytest.mark.parametrize("contract", contract.TRAINING_CONTRACT, ids=lambda each: each.__name__)
def test_every_training_keeps_its_contract(case: Case, contract: Callable[[Case], None]) -> None:
    contract(case)


@pytest.mark.slow
@pytest.mark.parametrize("epoch", range(EPOCHS + 1))
def test_a_training_resumed_at_any_epoch_equals_an_uninterrupted_one(
    case: Case, epoch: int
) -> None:
    contract.resumed_at_any_epoch_it_equals_an_uninterrupted_one(case, epoch)

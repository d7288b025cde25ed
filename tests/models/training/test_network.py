"""A training of the CNN: it learns, reports each epoch, and ends when it should."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from models.catalog import Threat, Value, metrics
from models.data.loading import ImageSplits
from models.scores.cost_names import MODEL_COSTS
from tests.support.image_trainings import (
    EACH_METHOD,
    OF_THE_TRIAL,
    QUICK,
    SMALL,
    train,
    without_seconds,
)


@pytest.mark.slow
def test_plain_training_learns_digits(digits: ImageSplits) -> None:
    *_, last = train({}, digits, epochs=12).run()
    assert last["accuracy.clean"] > 0.95
    assert last["loss.train"] < 0.2


@pytest.mark.slow
def test_adversarial_training_makes_robust(digits: ImageSplits) -> None:
    last = {}
    for method in ("none", "fgsm"):
        configuration: dict[str, Value] = {"width": 16, "adversarial_training": method}
        *_, last[method] = train(configuration, digits, epochs=8, threat=Threat()).run()
    name = Threat().metric()
    assert last["fgsm"][name] > last["none"][name] + 0.1


def test_each_epoch_reports_what_the_catalog_says(few_digits: ImageSplits) -> None:
    first, last = train(SMALL, few_digits).run()
    assert next(iter(first)) == "epoch" and (first["epoch"], last["epoch"]) == (1, 2)
    assert set(last) == {"epoch", "selection.collapsed", *metrics("cnn", QUICK)} - OF_THE_TRIAL
    corrupted = {name for name in last if name.startswith("accuracy.corrupted")}
    objectives = {"accuracy.clean", QUICK.metric(), QUICK.fgsm_metric(), "epoch.selected"}
    assert set(last) - set(first) == objectives | corrupted
    assert all(isinstance(value, float) for value in last.values())


@pytest.mark.parametrize("changes", EACH_METHOD, ids=str)
def test_passes_a_method_makes_are_those_it_reports(
    few_digits: ImageSplits, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Value]
) -> None:
    backward = [0]
    real_grad, real_backward = torch.autograd.grad, torch.autograd.backward

    def grad(*arguments: Any, **keywords: Any) -> Any:
        backward[0] += 1
        return real_grad(*arguments, **keywords)

    def learn(*arguments: Any, **keywords: Any) -> Any:
        # One pass backward through two images where the loss is of two.
        backward[0] += 2 if changes["adversarial_training"] in ("trades", "mart") else 1
        return real_backward(*arguments, **keywords)

    training = train({**SMALL, "batch_size": 60, **changes}, few_digits)
    monkeypatch.setattr(torch.autograd, "backward", learn)
    monkeypatch.setattr(torch.autograd, "grad", grad)
    training._optimization.epoch(0), training._optimization.epoch(1)
    monkeypatch.undo()
    *_, last = train({**SMALL, "batch_size": 60, **changes}, few_digits).run()
    assert last["gradients.train"] == backward[0]


@pytest.mark.slow
def test_a_diverged_training_reports_nan_and_ends(few_digits: ImageSplits) -> None:
    wild: dict[str, Value] = {**SMALL, "optimizer": "sgd", "sgd.learning_rate": 10.0}
    wild |= {"sgd.momentum": 0.99, "schedule": "constant"}
    training = train(wild, few_digits, epochs=30)
    reports = list(training.run())
    assert training.diverged and training.ended and len(reports) < 30
    last = reports[-1]
    assert set(last) == {"epoch", "selection.collapsed", *metrics("cnn", QUICK)} - OF_THE_TRIAL
    known = {"epoch", "loss.train", "selection.collapsed", "gradients.train", "work.train",
             "work.evaluation", *MODEL_COSTS}  # fmt: skip
    for name in set(without_seconds(last)) - known:
        assert math.isnan(last[name]), name
    assert all(math.isfinite(report["selection.accuracy.clean"]) for report in reports[:-1])


def test_a_last_batch_of_one_does_not_break_batch_normalisation(few_digits: ImageSplits) -> None:
    # 60 examples in batches of 59 leave one; five blocks leave it 1x1 pixels.
    one: dict[str, Value] = {**SMALL, "batch_size": 59, "blocks": 5, "normalisation": "batch"}
    assert math.isfinite(next(train(one, few_digits).run())["loss.train"])


def test_read_only_arrays_are_enough(few_digits: ImageSplits, recwarn: Any) -> None:
    for array in (few_digits.train_images, few_digits.validation_images, few_digits.test_images):
        array.setflags(write=False)
    training = train(SMALL, few_digits)
    list(training.run())
    training.evaluate_test()
    assert not [w for w in recwarn if "writable" in str(w.message)]


def test_a_training_needs_an_epoch(few_digits: ImageSplits) -> None:
    with pytest.raises(ValueError, match="0 epochs"):
        train(SMALL, few_digits, epochs=0)


@pytest.mark.gpu
def test_cuda_trains_as_well_as_the_cpu(digits: ImageSplits) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    configuration: dict[str, Value] = {"adversarial_training": "pgd", "normalisation": "batch"}
    training = train(configuration, digits, epochs=10, threat=Threat(), device="cuda")
    *_, last = training.run()
    assert last["accuracy.clean"] > 0.95 and last[Threat().metric()] > 0.6
    again = train(configuration, digits, epochs=10, threat=Threat(), device="cuda")
    again.load_state_dict(training.state_dict())
    assert again.evaluate_test() == training.evaluate_test()

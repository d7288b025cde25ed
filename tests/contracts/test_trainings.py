"""The contract of trainings: what each of `TRAININGS` keeps, made as a worker makes it.

A new training is one more line there. What it does not declare by a capability of
`models/training/protocol.py` is skipped. Metrics of time and memory are left out.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.catalog import TextThreat, Threat, Value, complete, robust_metric
from models.data.loading import ImageSplits, Splits, load_images
from models.networks.base_model import locate_base
from models.training.protocol import (
    AttackableTraining,
    ConfirmedTraining,
    EvaluatedTraining,
    TabulatedTraining,
    Training,
)
from models.weights.checkpoints import newest_checkpoint, save_checkpoint
from search.objectives import Objective
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from tests.support.image_trainings import is_same
from tests.support.stepped_trials import task_of, with_epochs
from tests.support.tiny_models import tiny_vit
from tests.support.tiny_texts import tiny_base, tiny_texts

pytestmark = pytest.mark.slow

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
        config = {"number": 0, "configuration": configuration or self.configuration, "seed": seed}
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


@pytest.fixture(scope="module", params=TRAININGS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return TRAININGS[request.param](tmp_path_factory.mktemp("case"))


@functools.cache
def uninterrupted(case: Case) -> tuple[list[dict[str, str]], dict[str, object], list[Any]]:
    """Returns metrics, last state and results of the training, alone on a new worker."""
    training = case.make(worker=WorkersBase())
    return exact(training.run()), training.state_dict(), findings(training)


def test_the_same_seed_gives_the_same_metrics(case: Case) -> None:
    """Whatever the global generator is at; another seed gives others where there is chance."""
    expected, _, _ = uninterrupted(case)
    torch.manual_seed(5)
    training = case.make()
    before = torch.get_rng_state()
    assert exact(training.run()) == expected
    assert torch.equal(torch.get_rng_state(), before)
    if case.data is not None:
        assert exact(case.make(seed=4).run()) != expected


@pytest.mark.parametrize("epoch", range(EPOCHS + 1))
def test_resumed_at_any_epoch_it_equals_an_uninterrupted_one(case: Case, epoch: int) -> None:
    """`epoch` is counted from 0, before the first one, to the budget, after the last one.

    The interrupted training continues after its state was taken: the state is a copy.
    """
    expected, last_state, found = uninterrupted(case)
    begun, resumed = case.make(), case.make()
    running = begun.run()
    entries = [next(running) for _ in range(epoch)]
    state = begun.state_dict()
    next(running, None)
    resumed.load_state_dict(stored(state))
    assert resumed.ended == (epoch == case.task.epochs)
    assert exact(entries) + exact(resumed.run()) == expected
    assert is_same(resumed.state_dict(), last_state)
    assert findings(resumed) == found


def test_every_epoch_tells_its_work_unless_a_users_function_trains(case: Case) -> None:
    """The other tests compare it: of the same seed, and of a resumed training, it is the same."""
    epochs, _, _ = uninterrupted(case)
    for entry in epochs:
        work = {name: float.fromhex(entry[name]) for name in entry if name.startswith("work.")}
        assert set(work) == (set() if case.data is None else {"work.train", "work.evaluation"})
        assert all(value > 0 for value in work.values())


def test_ended_is_truthful(case: Case) -> None:
    """False before every epoch, True after the last one, and then no more comes."""
    training = case.make()
    assert not training.ended
    said = [(training.ended, set(entry)) for entry in training.run()]
    assert [ended for ended, _ in said] == [*[False] * (case.task.epochs - 1), True]
    assert set(case.task.spec.metrics) <= said[-1][1]
    assert training.ended and list(training.run()) == []


def test_early_stopping_ends_it(case: Case) -> None:
    """Before its budget, with all objectives; and it stays ended after a restart."""
    training = case.make_patient()
    said = [(training.ended, set(entry)) for entry in training.run()]
    assert 2 <= len(said) < case.patient_epochs
    assert [ended for ended, _ in said] == [*[False] * (len(said) - 1), True]
    assert set(case.task.spec.metrics) <= said[-1][1]
    again = case.make_patient()
    again.load_state_dict(stored(training.state_dict()))
    assert again.ended and list(again.run()) == []
    assert findings(again) == findings(training)


def test_nan_ends_it(case: Case) -> None:
    """Weights that are not finite give one report of NaN, now and after a restart no more."""
    begun, training, again = case.make(), case.make(), case.make()
    next(begun.run())
    state = begun.state_dict()
    spoiled = spoil(state)
    if case.data is None:
        pytest.skip("a function may report NaN; its trial ends at an objective that is NaN")
    training.load_state_dict(spoiled)
    (entry,) = training.run()
    assert training.ended
    assert all(math.isnan(entry[name]) for name in case.task.spec.metrics)
    again.load_state_dict(stored(training.state_dict()))
    assert again.ended and list(again.run()) == []
    for each in (training, again):
        if isinstance(each, EvaluatedTraining):
            assert all(map(math.isnan, each.evaluate_test().values()))
        if isinstance(each, AttackableTraining):
            assert each.confirm() == {}
        if isinstance(each, TabulatedTraining):
            assert each.tables() == {}


def test_nothing_of_one_trial_reaches_the_next(case: Case) -> None:
    """On one worker, after a trial that ended and one that did not, all is as on a new worker."""
    worker = WorkersBase()
    list(case.make(case.other, worker=worker).run())
    cut_off = case.make(case.other, seed=5, worker=worker)
    next(cut_off.run())
    after = case.make(worker=worker)
    expected, last_state, _ = uninterrupted(case)
    assert exact(after.run()) == expected
    assert is_same(after.state_dict(), last_state)


def test_an_evaluated_training_measures_the_test_split(case: Case) -> None:
    """All metrics are named `test.*`; asked again, they are the same."""
    training = case.make()
    if not isinstance(training, EvaluatedTraining):
        pytest.skip("it is not evaluated on a test split")
    list(training.run())
    found = training.evaluate_test()
    assert found and all(name.startswith("test.") for name in found)
    assert all(map(math.isfinite, found.values())) and training.evaluate_test() == found
    if isinstance(training, ConfirmedTraining):
        confirmed = training.evaluate_confirmation()
        assert {name.replace("confirmation.", "test.") for name in confirmed} == set(found)
        assert all(map(math.isfinite, confirmed.values()))
        assert training.evaluate_confirmation() == confirmed
        assert all(name.endswith("_test.txt") for name in training.test_tables())


def test_a_judged_training_classifies_images_and_is_confirmed_at_its_end(case: Case) -> None:
    """The classifier is there at any epoch; confirmed is the end alone, and repeatedly."""
    training = case.make()
    if not isinstance(training, AttackableTraining):
        pytest.skip("it is not judged by attacks on pixels")
    running = training.run()
    next(running)
    assert training.confirm() == {}
    for part in ("selection", "objective", "confirmation", "test"):
        images, labels = training.examples(part)
        assert images.ndim == 4 and 0 <= images.min() <= images.max() <= 1
        assert len(images) == len(labels) > 0
        model = training.classifier()
        with torch.no_grad():
            assert not model.training and torch.isfinite(model(images)).all()
    list(running)
    confirmed = training.confirm()
    assert confirmed and training.confirm() == confirmed
    assert confirmed["work.confirmation"] > 0


def test_a_tabulated_training_leaves_texts(case: Case) -> None:
    """Files by name, and something in each."""
    training = case.make()
    if not isinstance(training, TabulatedTraining):
        pytest.skip("it leaves no tables")
    list(training.run())
    tables = training.tables()
    assert tables and all("." in name and text.strip() for name, text in tables.items())


def exact(entries: Iterable[Mapping[str, float]]) -> list[dict[str, str]]:
    """Returns metrics as bits, where NaN equals NaN, without those of time and memory."""
    return [
        {k: float(v).hex() for k, v in entry.items() if not k.startswith(("seconds", "memory"))}
        for entry in entries
    ]


def findings(training: Training) -> list[Any]:
    """Returns the results of all capabilities of an ended training."""
    found: list[Any] = []
    if isinstance(training, EvaluatedTraining):
        found.append(training.evaluate_test())
    if isinstance(training, AttackableTraining):
        found.append(training.confirm())
    if isinstance(training, TabulatedTraining):
        found.append(training.tables())
    return found


def stored(state: Mapping[str, object]) -> dict[str, Any]:
    """Returns a state as a checkpoint restores it."""
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), 1, 1, [{}], state)
        checkpoint = newest_checkpoint(Path(folder))
        assert checkpoint is not None
        return checkpoint.load_state()


def spoil(state: Any) -> Any:
    """Returns the state with NaN in all its floating-point tensors."""
    if isinstance(state, dict):
        return {key: spoil(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(map(spoil, state))
    if isinstance(state, torch.Tensor) and state.is_floating_point():
        return torch.full_like(state, math.nan)
    return state

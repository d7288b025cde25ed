"""Contracts: what every training must keep, made as a worker makes it.

A test module makes its cases and calls these functions. What a training does not declare by a
capability of `models/training/protocol.py` is skipped. Metrics of time and memory are left out.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.catalog import Value
from models.data.loading import Splits
from models.training.protocol import (
    EvaluatedTraining,
    JudgedTraining,
    TabulatedTraining,
    Training,
)
from models.weights.checkpoints import newest_checkpoint, save_checkpoint
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from tests.support.image_trainings import is_same
from tests.support.stepped_trials import with_epochs


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


@functools.cache
def uninterrupted(case: Case) -> tuple[list[dict[str, str]], dict[str, object], list[Any]]:
    """Returns metrics, last state and results of the training, alone on a new worker."""
    training = case.make(worker=WorkersBase())
    return exact(training.run()), training.state_dict(), findings(training)


def same_seed_gives_the_same_metrics(case: Case) -> None:
    """The global generator has no effect; where a training is random, another seed has."""
    expected, _, _ = uninterrupted(case)
    torch.manual_seed(5)
    training = case.make()
    before = torch.get_rng_state()
    assert exact(training.run()) == expected
    assert torch.equal(torch.get_rng_state(), before)
    if case.data is not None:
        assert exact(case.make(seed=4).run()) != expected


def resumed_at_any_epoch_it_equals_an_uninterrupted_one(case: Case, epoch: int) -> None:
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


def ended_is_truthful(case: Case) -> None:
    """`ended` is False before every epoch and True after the last one, and no epoch follows."""
    training = case.make()
    assert not training.ended
    said = [(training.ended, set(entry)) for entry in training.run()]
    assert [ended for ended, _ in said] == [*[False] * (case.task.epochs - 1), True]
    assert set(case.task.spec.metrics) <= said[-1][1]
    assert training.ended and list(training.run()) == []


def early_stopping_ends_it(case: Case) -> None:
    """It ends before its budget, with all objectives, and stays ended after a restart."""
    training = case.make_patient()
    said = [(training.ended, set(entry)) for entry in training.run()]
    assert 2 <= len(said) < case.patient_epochs
    assert [ended for ended, _ in said] == [*[False] * (len(said) - 1), True]
    assert set(case.task.spec.metrics) <= said[-1][1]
    again = case.make_patient()
    again.load_state_dict(stored(training.state_dict()))
    assert again.ended and list(again.run()) == []
    assert findings(again) == findings(training)


def nan_ends_it(case: Case) -> None:
    """Weights that are not finite give one report of NaN and then none, also after a restart."""
    begun, training, again = case.make(), case.make(), case.make()
    next(begun.run())
    state = begun.state_dict()
    spoiled = spoil(state)
    if is_same(spoiled, state):
        pytest.skip("it has no weights; its trial ends at an objective that is NaN")
    training.load_state_dict(spoiled)
    (entry,) = training.run()
    assert training.ended
    assert all(math.isnan(entry[name]) for name in case.task.spec.metrics)
    again.load_state_dict(stored(training.state_dict()))
    assert again.ended and list(again.run()) == []
    for each in (training, again):
        if isinstance(each, EvaluatedTraining):
            assert all(map(math.isnan, each.evaluate_test().values()))
        if isinstance(each, JudgedTraining):
            assert each.confirm() == {}
        if isinstance(each, TabulatedTraining):
            assert each.tables() == {}


def nothing_of_one_trial_reaches_the_next(case: Case) -> None:
    """On a worker that has run other trials, the results are those of a new worker."""
    worker = WorkersBase()
    list(case.make(case.other, worker=worker).run())
    cut_off = case.make(case.other, seed=5, worker=worker)
    next(cut_off.run())
    after = case.make(worker=worker)
    expected, last_state, _ = uninterrupted(case)
    assert exact(after.run()) == expected
    assert is_same(after.state_dict(), last_state)


def an_evaluated_training_measures_the_test_split(case: Case) -> None:
    """All metrics are named `test.*`; asked again, they are the same."""
    training = case.make()
    if not isinstance(training, EvaluatedTraining):
        pytest.skip("it is not evaluated on a test split")
    list(training.run())
    found = training.evaluate_test()
    assert found and all(name.startswith("test.") for name in found)
    assert all(map(math.isfinite, found.values())) and training.evaluate_test() == found


def an_evaluated_training_classifies_images_and_is_confirmed_at_its_end(case: Case) -> None:
    """It has a classifier at any epoch; it is confirmed at its end, with the same result again."""
    training = case.make()
    if not isinstance(training, JudgedTraining):
        pytest.skip("it is not attacked in pixels")
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


def a_tabulated_training_leaves_texts(case: Case) -> None:
    """It has texts by file name, none of them empty."""
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
    if isinstance(training, JudgedTraining):
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


TRAINING_CONTRACT = (
    same_seed_gives_the_same_metrics,
    ended_is_truthful,
    early_stopping_ends_it,
    nan_ends_it,
    nothing_of_one_trial_reaches_the_next,
    an_evaluated_training_measures_the_test_split,
    an_evaluated_training_classifies_images_and_is_confirmed_at_its_end,
    a_tabulated_training_leaves_texts,
)

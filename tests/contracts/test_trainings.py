"""The contract of trainings: what each of `TRAININGS` keeps, made as a worker makes it.

What a training does not declare by a capability of `models/training/protocol.py` is skipped.
Metrics of time and memory are left out.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from models.training.protocol import (
    AttackableTraining,
    ConfirmedTraining,
    EvaluatedTraining,
    TabulatedTraining,
    Training,
)
from models.weights.checkpoints import newest_checkpoint, save_checkpoint
from search.optimize.worker_task import WorkersBase
from tests.support.image_trainings import MEASURED_BY_CLOCK, is_same
from tests.support.training_cases import EPOCHS, TRAININGS, Case

pytestmark = pytest.mark.slow


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
        parts = {"work.train", "work.evaluation", "work.example"}
        assert set(work) == (set() if case.data is None else parts)
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
        {
            k: float(v).hex()
            for k, v in entry.items()
            if not k.startswith((*MEASURED_BY_CLOCK, "memory"))
        }
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

"""What a worker trains, and the pretrained model that it keeps between its trials."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.catalog import TextThreat
from search.objectives.objective import from_lists
from search.optimize import worker_task
from search.optimize.final_evaluation import FinalEvaluation, evaluate_trial
from search.optimize.outcome import outcome_of
from search.optimize.trainable import TrialTrainable
from search.optimize.worker_task import TaskOnWorker, WorkersBase
from tests.support.stepped_trials import config_of, run, task_of, trial_of
from tests.support.tiny_texts import tiny_texts


class Loaded:
    """A pretrained model of one number."""

    def __init__(self) -> None:
        self.weights = 1

    def checksum(self) -> str:
        return str(self.weights)


class StopsEarly:
    """A training that early stopping ends after its second epoch, and that has tables."""

    def __init__(self) -> None:
        self.epoch, self.ended = 0, False

    def run(self) -> Any:
        while self.epoch < 5 and not self.ended:
            self.epoch += 1
            self.ended = self.epoch == 2
            yield {"left": self.epoch / 10, "right": 0.5}

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "ended": self.ended}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.ended = state["epoch"], state["ended"]

    def tables(self) -> dict[str, str]:
        return {"classes.txt": f"after epoch {self.epoch}"}

    def evaluate_test(self) -> dict[str, float]:
        return {"test.left": self.epoch / 100}


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Loaded]:
    """Returns the list that every loaded pretrained model is added to."""
    loaded: list[Loaded] = []

    def load(*_: Any) -> Loaded:
        loaded.append(Loaded())
        return loaded[-1]

    monkeypatch.setattr(worker_task, "_load_base", load)
    return loaded


def stop_early(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("trainable", "final_evaluation"):
        monkeypatch.setattr(f"search.optimize.{module}.training_of", lambda *_: StopsEarly())


def test_a_worker_loads_its_pretrained_model_once(loads: list[Loaded], tmp_path: Path) -> None:
    base, task = WorkersBase(), task_of(tmp_path)
    assert base.get(task, None) is base.get(task, None) is loads[0]
    assert len(loads) == 1


def test_a_pretrained_model_that_a_trial_changed_is_loaded_again(
    loads: list[Loaded], tmp_path: Path
) -> None:
    base, task = WorkersBase(), task_of(tmp_path)
    base.get(task, None).weights = 2  # type: ignore[attr-defined]
    assert base.get(task, None) is loads[1] and loads[1].weights == 1


@pytest.mark.slow
def test_a_pretrained_model_that_cannot_be_loaded_fails_the_trial_and_not_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        raise ValueError("model: no folder")

    monkeypatch.setattr(worker_task, "_load_base", missing)
    task = task_of(
        tmp_path, model="text_classifier", base=SimpleNamespace(name="model"),
        threat=TextThreat(),
    )  # fmt: skip
    trial = object.__new__(TrialTrainable)
    trial.setup(config_of(tmp_path), task=task, data=tiny_texts("classification"))
    (result,) = run(trial)
    assert "model: no folder" in result["failure"]


@pytest.mark.slow
def test_a_training_that_says_it_has_ended_is_done_and_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_early(monkeypatch)
    results = run(trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path)))
    assert [(each["epoch"], each["done"]) for each in results] == [(1, False), (2, True)]
    assert [each["tables"] for each in results] == [{}, {"classes.txt": "after epoch 2"}]
    ended = outcome_of(results[-1], ("left", "right"), 5)
    assert (ended.state, ended.epoch, ended.values) == ("complete", 2, (0.2, 0.5))


@pytest.mark.slow
def test_a_resumed_trial_knows_that_it_has_ended_and_still_tells_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_early(monkeypatch)
    run(trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path)))
    (result,) = run(trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path)))
    assert (result["epoch"], result["ended"], result["failure"]) == (2, True, "")
    assert [epoch for epoch, _ in result["earlier_epochs"]] == [1]
    assert result["tables"] == {"classes.txt": "after epoch 2"}


@pytest.mark.slow
def test_a_table_that_cannot_be_made_fails_the_trial_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_early(monkeypatch)
    monkeypatch.setattr(StopsEarly, "tables", lambda self: 1 / 0)
    assert (
        "ZeroDivisionError"
        in run(trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path)))[-1]["failure"]
    )


@pytest.mark.slow
def test_the_test_split_is_evaluated_after_early_stopping_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_early(monkeypatch)
    task, config = task_of(tmp_path, epochs=5), config_of(tmp_path)
    trial = trial_of(task, config)
    trial.step()
    with pytest.raises(FileNotFoundError, match="no checkpoint of epoch 5"):
        list(evaluate_trial(task, config, None))
    trial.step()
    *_, found = evaluate_trial(task, config, None)
    assert found == FinalEvaluation({"test.left": 0.02})


@pytest.mark.slow
def test_a_training_that_can_is_confirmed_and_leaves_tables_of_the_test_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_early(monkeypatch)
    confirms = {
        "evaluate_confirmation": lambda training: {"confirmation.left": 0.5},
        "test_tables": lambda training: {"classes_test.txt": "a table"},
    }
    for name, method in confirms.items():
        monkeypatch.setattr(StopsEarly, name, method, raising=False)
    task, config = task_of(tmp_path, epochs=5), config_of(tmp_path)
    run(trial_of(task, config))
    *steps, found = evaluate_trial(task, config, None)
    assert steps == ["measuring the confirmation part", "measuring the test split"]
    metrics = {"confirmation.left": 0.5, "test.left": 0.02}
    assert found == FinalEvaluation(metrics, tables={"classes_test.txt": "a table"})


@pytest.mark.slow
def test_the_last_epoch_need_not_report_what_only_the_scheduler_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = [{"left": 0.1, "cheap": 0.1}, {"left": 0.2, "cheap": 0.1}, {"left": 0.3, "full": 0.1}]
    monkeypatch.setattr("tests.support.functions.two_hills", lambda *_, **__: iter(epochs))
    monkeypatch.setattr(TaskOnWorker, "compared", ("left", "cheap"))
    objectives = from_lists(("left", "full"), ("maximize", "maximize"))
    task = task_of(tmp_path, objectives=objectives)
    assert run(trial_of(task, config_of(tmp_path)))[-1]["failure"] == ""


@pytest.mark.slow
def test_a_fine_tuning_tells_how_long_its_set_up_took_and_other_models_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_early(monkeypatch)
    task = task_of(tmp_path, epochs=5, base=SimpleNamespace(name="model"))
    results = run(trial_of(task, config_of(tmp_path)))
    seconds = {each["metrics"]["seconds.setup"] for each in results}
    assert len(seconds) == 1 and 0 <= seconds.pop() < 60
    plain = run(trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path, number=1)))
    assert "seconds.setup" not in plain[-1]["metrics"]


@pytest.mark.slow
def test_a_trial_keeps_the_workers_base_through_its_next_configurations(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path), config_of(tmp_path))
    assert isinstance(trial, TrialTrainable)
    before = trial._base
    trial.reset_config(config_of(tmp_path, number=1))
    assert trial._base is before


def test_a_users_function_has_no_test_split(tmp_path: Path) -> None:
    (found,) = evaluate_trial(task_of(tmp_path), config_of(tmp_path), None)
    assert found == FinalEvaluation()


class Cleaned(StopsEarly):
    """A training that says when its memory is free, and whose own cleanup may fail."""

    cleaned = 0
    fails = False

    def run(self) -> Any:
        try:
            yield from super().run()
        finally:
            Cleaned.cleaned += 1
            if self.fails:
                raise OSError("the folder is gone")


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_a_trial_that_is_done_frees_what_its_training_held_before_the_next_one_begins(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cleaned, "cleaned", 0)
    monkeypatch.setattr(Cleaned, "fails", fails)
    monkeypatch.setattr("search.optimize.trainable.training_of", lambda *_: Cleaned())
    trial = trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path))
    assert trial.step()["done"] is False and Cleaned.cleaned == 0
    last = trial.step()
    assert (last["done"], last["failure"]) == (True, "")
    assert Cleaned.cleaned == 1


@pytest.mark.slow
def test_a_trial_that_is_stopped_early_frees_it_when_its_worker_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cleaned, "cleaned", 0)
    monkeypatch.setattr("search.optimize.trainable.training_of", lambda *_: Cleaned())
    trial = trial_of(task_of(tmp_path, epochs=5), config_of(tmp_path))
    trial.step()
    trial.cleanup()  # what Ray calls as it stops a worker
    assert Cleaned.cleaned == 1

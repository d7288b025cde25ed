"""The last tasks of a search, on a Ray that runs them at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch

from models.adversarial.threat_model import TextThreat, Threat
from models.explanations import explain, integrated_gradients
from search.history import Trial
from search.objectives import Objective
from search.optimize import final_evaluation
from search.optimize.final_evaluation import (
    FinalEvaluation,
    _attacked,
    _explained,
    evaluate_front,
)
from search.tracking.write.journal import Journal, read_events
from tests.support.plans import a_plan
from tests.support.stepped_trials import task_of

FRONT = [
    Trial(number=3, state="complete", configuration={"x": 0.5}, epoch=4),
    Trial(number=8, state="complete", configuration={"x": 0.6}, epoch=2),
]


@dataclass(frozen=True, eq=False)
class Reference:
    value: Any
    error: Exception | None = None


class Rays:
    """Ray as the evaluation uses it; a task runs when it is started, and keeps what it raises."""

    def __init__(self, evaluate: Any) -> None:
        self.evaluate, self.asked, self.explained = evaluate, [], []

    def remote(self, **_: Any) -> Any:
        return lambda function: SimpleNamespace(remote=self._start)

    def _start(self, task: Any, config: Any, data: Any, *, is_explained: bool) -> Any:
        self.asked.append((config["number"], task.spec.threat))
        self.explained += [config["number"]] * is_explained
        try:
            last = Reference(self.evaluate(task, config))
        except ray.exceptions.RayError as error:
            last = Reference(None, error)
        return iter([Reference("PGD on 9 test images"), last])

    def get(self, reference: Any) -> Any:
        if reference.error is not None:
            raise reference.error
        return reference.value


def evaluated(folder: Path, evaluate: Any, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Rays:
    rays = Rays(evaluate)
    for name in ("remote", "get"):
        monkeypatch.setattr(final_evaluation.ray, name, getattr(rays, name))
    monkeypatch.setattr(final_evaluation.ray, "put", lambda data: data)
    monkeypatch.setattr(
        final_evaluation.ray, "wait", lambda pending, timeout: (pending[:1], pending[1:])
    )
    threat = more.pop("threat", Threat(final_examples=20))
    task = task_of(folder, model=more.pop("model", "cnn"), threat=threat)
    stop = more.pop("stop", threading.Event())
    evaluate_front(a_plan(folder), task, "data", FRONT, Journal(folder), stop)
    return rays


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    return [event.fields for event in read_events(folder) if event.name == name]


def found(task: Any, config: Any) -> FinalEvaluation:
    metrics = {"test.accuracy.clean": 0.9, "test.accuracy.autoattack_linf_0.1": 0.5}
    return FinalEvaluation(metrics, {"robustness.json": "{}"}, ("/w.safetensors",))


def test_what_is_found_is_written_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated(tmp_path, found, monkeypatch)
    first, second = events(tmp_path, "test")
    assert (first["number"], first["epoch"], second["number"], second["epoch"]) == (3, 4, 8, 2)
    assert first["metrics"]["test.accuracy.clean"] == 0.9
    assert first["texts"] == {"robustness.json": "{}"} and first["files"] == ["/w.safetensors"]
    messages = [each["message"] for each in events(tmp_path, "driver")]
    assert "AutoAttack on up to 20 images" in messages[0]
    assert "accuracy.autoattack_linf_0.1 0.5000" in messages[1]
    assert messages[1].endswith("[1/2]") and messages[2].endswith("[2/2]")
    steps = [(each["number"], each["step"]) for each in events(tmp_path, "evaluating")]
    assert steps == [(3, "PGD on 9 test images"), (3, ""), (8, "PGD on 9 test images"), (8, "")]


def test_the_line_of_a_trial_begins_with_its_objectives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objectives = (Objective("ndcg_at_10.clean", "maximize"), Objective("latency", "minimize"))
    ranked = [replace(trial, objectives=objectives, values=(0.8, 2.0)) for trial in FRONT]
    monkeypatch.setattr("tests.search.optimize.test_final_evaluation.FRONT", ranked)
    metrics = {"test.accuracy.clean": 0.9, "test.ndcg_at_10.clean": 0.75}
    evaluated(tmp_path, lambda *_: FinalEvaluation(metrics), monkeypatch, threat=TextThreat())
    assert events(tmp_path, "driver")[1]["message"] == (
        "trial 003 on the test split: ndcg_at_10.clean 0.7500, accuracy.clean 0.9000  [1/2]"
    )


def test_an_evaluation_that_fails_is_replaced_by_one_without_autoattack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(task: Any, config: Any) -> FinalEvaluation:
        if task.spec.threat.final_examples and config["number"] == 3:
            raise ray.exceptions.RayError("first line\nIndexError: in the library")
        return FinalEvaluation({"test.accuracy.clean": 0.9})

    rays = evaluated(tmp_path, fails, monkeypatch)
    assert [(n, threat.final_examples) for n, threat in rays.asked] == [(3, 20), (8, 20), (3, 0)]
    assert sorted(each["number"] for each in events(tmp_path, "test")) == [3, 8]
    messages = " ".join(each["message"] for each in events(tmp_path, "driver"))
    assert "trial 003 failed: IndexError: in the library; evaluating it without" in messages


def test_one_that_fails_again_costs_only_its_own_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(task: Any, config: Any) -> FinalEvaluation:
        if config["number"] == 3:
            raise ray.exceptions.RayError("no checkpoint")
        return FinalEvaluation({"test.accuracy.clean": 0.9})

    evaluated(tmp_path, fails, monkeypatch, model="text_classifier", threat=TextThreat())
    assert [each["number"] for each in events(tmp_path, "test")] == [8]


def test_what_is_not_evaluated_when_it_is_stopped_is_left_for_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    stop.set()
    evaluated(tmp_path, found, monkeypatch, stop=stop)
    assert events(tmp_path, "test") == []


def test_a_missing_package_is_reported_and_the_rest_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = FinalEvaluation({"test.accuracy.clean": 0.9}, message="pip install it")
    evaluated(tmp_path, lambda *_: answer, monkeypatch)
    assert len(events(tmp_path, "test")) == 2
    assert "trial 003: pip install it" in [each["message"] for each in events(tmp_path, "driver")]


def test_the_first_of_the_best_trials_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluated(tmp_path, found, monkeypatch).explained == [3]


class Constant:
    """A training whose network answers class 0 to every image; half of the images are of it."""

    def examples(self, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(8, 1, 6, 6), torch.tensor([0, 1] * 4)

    def classifier(self) -> torch.nn.Module:
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 2)).eval()
        torch.nn.init.zeros_(network[1].weight)
        network[1].bias.data = torch.tensor([1.0, 0.0])
        return network


def test_a_network_that_answers_one_class_is_warned_of_while_the_search_ends(
    tmp_path: Path,
) -> None:
    threat = Threat(epsilon=0.1, steps=3, final_examples=0)
    *_, found = _consumed(_attacked(Constant(), threat, tmp_path))
    assert found.message == (
        "warning: one class is answered (class 0, of which are 50% of the images)"
    )


def _consumed(steps: Any) -> list[Any]:
    """Returns what a generator yields, and last what it returns."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return [*seen, end.value]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), OSError("disk is full")])
def test_an_explanation_that_fails_costs_none_of_the_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(integrated_gradients, "is_installed", lambda: True)
    monkeypatch.setattr(explain, "write_explanations", fails)
    measured = FinalEvaluation({"test.accuracy.clean": 0.9}, message="no autoattack")
    task = task_of(tmp_path, model="cnn", threat=Threat())
    kept = _explained(measured, None, task, "data", tmp_path)  # type: ignore[arg-type]
    assert kept.metrics == measured.metrics
    assert kept.message == f"no autoattack; not explained: {error}"

"""Which robust accuracies are confirmed, decided on workers from what earlier ones wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from models.adversarial.threat_model import Threat
from search.objectives import Objective
from search.objectives.objective import Role, from_lists
from search.optimize.confirmation import MEMORY, Standing
from search.optimize.outcome import outcome_of
from search.optimize.trainable import TrialTrainable
from tests.support.stepped_trials import config_of, run, task_of, trial_of

ROBUST = "accuracy.pgd10_linf_0.1"
BOTH = from_lists(("left", "right"), ("maximize", "maximize"))
BOUND = (BOTH[0], Objective("right", "maximize", Role("constraint", bound=0.5)))
# With seed 0 the first trials that are drawn, found once and fixed by the seed for ever.
DRAWN = [number for number in range(40) if Standing(Path(), 0, BOTH).is_drawn(number)]
NOT_DRAWN = next(number for number in range(40) if number not in DRAWN)


def standing(folder: Path, *values: tuple[float, float], goals: Any = BOTH) -> Standing:
    made = Standing(folder, 0, goals)
    for number, each in enumerate(values, start=100):
        made.note(number, each)
    return made


def test_a_trial_that_would_be_on_the_front_is_confirmed_and_a_dominated_one_is_not(
    tmp_path: Path,
) -> None:
    made = standing(tmp_path, (0.9, 0.5), (0.8, 0.6))
    assert made.must_confirm(NOT_DRAWN, [0.85, 0.55])
    assert made.must_confirm(NOT_DRAWN, [0.9, 0.5]), "equal to one on the front"
    assert not made.must_confirm(NOT_DRAWN, [0.85, 0.45])
    assert not made.must_confirm(NOT_DRAWN, [0.99, math.nan])


def test_the_first_trial_is_confirmed(tmp_path: Path) -> None:
    assert Standing(tmp_path / "none", 0, BOTH).must_confirm(NOT_DRAWN, [0.1, 0.1])


def test_roles_decide_who_is_a_candidate(tmp_path: Path) -> None:
    made = standing(tmp_path, (0.9, 0.6), goals=BOUND)
    assert not made.must_confirm(NOT_DRAWN, [0.8, 0.9]), "more than the bound asks for"
    assert made.must_confirm(NOT_DRAWN, [0.95, 0.5])
    assert not made.must_confirm(NOT_DRAWN, [0.99, 0.49])


def test_a_random_tenth_is_confirmed_and_the_same_one_in_every_launch(
    tmp_path: Path,
) -> None:
    made = standing(tmp_path, (0.9, 0.9))
    assert made.must_confirm(DRAWN[0], [0.0, 0.0])
    # 4,000 draws of a tenth: four sigmas are 0.019, one false alarm in 16,000.
    share = sum(made.is_drawn(number) for number in range(4000)) / 4000
    assert abs(share - 0.1) < 0.019
    assert [n for n in range(40) if Standing(tmp_path, 0, BOTH).is_drawn(n)] == DRAWN
    assert [n for n in range(40) if Standing(tmp_path, 1, BOTH).is_drawn(n)] != DRAWN


def test_a_trial_is_not_compared_with_its_own_values_from_before_a_crash(tmp_path: Path) -> None:
    made = standing(tmp_path)
    made.note(NOT_DRAWN, [0.9, 0.9])
    assert made.must_confirm(NOT_DRAWN, [0.8, 0.8])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"values": [1]}', '{"values": ["x", 1]}',
                                     '{"values": [NaN, 1]}', '{"values": null}'])  # fmt: skip
def test_a_damaged_file_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "trial_0100.json").write_text(content)
    assert standing(tmp_path).must_confirm(NOT_DRAWN, [0.1, 0.1])


class Confirmed:
    """A training of one epoch whose robust accuracy a stronger attack corrects."""

    def __init__(self) -> None:
        self.asked, self.ended = 0, False

    def run(self) -> Any:
        self.ended = True
        yield {"left": 0.9, "right": 0.7}

    def examples(self, part: str) -> Any: ...

    def classifier(self) -> Any: ...

    def evaluate_test(self) -> dict[str, float]:
        return {}

    def confirm(self) -> dict[str, float]:
        self.asked += 1
        return {
            "right": 0.4, "unconfirmed.right": 0.7, "robustness.gap": 0.3,
            "robustness.replaced": 1.0,
        }  # fmt: skip

    def state_dict(self) -> dict[str, object]:
        return {"ended": self.ended}

    def load_state_dict(self, state: Any) -> None:
        self.ended = state["ended"]


def images(folder: Path, **changes: Any) -> Any:
    fields = {"threat": Threat(), "epochs": 1, "objectives": BOTH}
    return task_of(folder, **fields | changes)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Confirmed:
    made = Confirmed()
    monkeypatch.setattr("search.optimize.trainable.training_of", lambda *_: made)
    return made


@pytest.mark.slow
def test_only_the_replaced_accuracy_is_reported(tmp_path: Path, training: Confirmed) -> None:
    (result,) = run(trial_of(images(tmp_path), config_of(tmp_path)))
    assert result["failure"] == "" and training.asked == 1
    metrics = result["metrics"]
    assert (metrics["left"], metrics["right"], metrics["unconfirmed.right"]) == (0.9, 0.4, 0.7)
    assert metrics["seconds.confirmation"] >= 0
    (text,) = result["warnings"].values()
    assert "right was 0.7000 and is now 0.4000" in text
    left = json.loads((tmp_path / MEMORY / "trial_0000.json").read_text())
    assert left == {"number": 0, "values": [0.9, 0.4]}
    # The checkpoint has it as well: a crash before the report changes nothing.
    again = trial_of(images(tmp_path), config_of(tmp_path))
    (result,) = run(again)
    assert result["metrics"]["right"] == 0.4 and result["warnings"] and training.asked == 1


class Doubtful(Confirmed):
    """A training whose gradients have vanished."""

    def run(self) -> Any:
        self.ended = True
        yield {"accuracy.clean": 0.9, ROBUST: 0.95}

    def confirm(self) -> dict[str, float]:
        return {"robustness.vanished": 0.99}


@pytest.mark.parametrize("doubtful", ["exclude", "keep"])
def test_an_accuracy_in_doubt_keeps_no_other_trial_from_being_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doubtful: Any
) -> None:
    monkeypatch.setattr("search.optimize.trainable.training_of", lambda *_: Doubtful())
    task = images(
        tmp_path, model="cnn", threat=Threat(doubtful=doubtful),
        objectives=from_lists(("accuracy.clean", ROBUST), ("maximize", "maximize")),
    )  # fmt: skip
    (result,) = run(trial_of(task, config_of(tmp_path)))
    assert result["failure"] == "" and list(result["warnings"]) == ["gradients vanish"]
    assert (tmp_path / MEMORY / "trial_0000.json").exists() == (doubtful == "keep")
    assert task.spec.excludes_doubtful == (doubtful == "exclude")
    ended = outcome_of(result, task.spec.metrics, 1, excludes_doubtful=task.spec.excludes_doubtful)
    assert ended.state == ("complete" if doubtful == "keep" else "failed")


@pytest.mark.slow
def test_what_is_far_behind_is_not_attacked_again(tmp_path: Path, training: Confirmed) -> None:
    standing(tmp_path / MEMORY, (0.95, 0.95))
    (result,) = run(trial_of(images(tmp_path), config_of(tmp_path, number=NOT_DRAWN)))
    assert training.asked == 0 and result["metrics"]["right"] == 0.7 and result["warnings"] == {}
    assert (tmp_path / MEMORY / f"trial_{NOT_DRAWN:04d}.json").exists()


@pytest.mark.slow
def test_what_is_not_attacked_in_pixels_is_not_confirmed(tmp_path: Path) -> None:
    (result,) = run(trial_of(images(tmp_path, threat=None), config_of(tmp_path)))
    assert result["failure"] == "" and not (tmp_path / MEMORY).exists()


@pytest.mark.slow
def test_an_attack_that_raises_fails_its_own_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: Confirmed
) -> None:
    monkeypatch.setattr(Confirmed, "confirm", lambda self: {}["nothing"])
    trial = trial_of(images(tmp_path), config_of(tmp_path))
    assert isinstance(trial, TrialTrainable)
    (result,) = run(trial)
    assert "KeyError" in result["failure"]


def test_images_are_given_the_memory_of_their_search(tmp_path: Path) -> None:
    memory = images(tmp_path, model="cnn").memory(7)
    assert (memory.folder, memory.name) == (tmp_path / MEMORY, "trial_0007")
    assert images(tmp_path, threat=None).memory(7) is None

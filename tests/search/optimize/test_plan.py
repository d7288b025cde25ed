"""The plan that a driver is given."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from search.optimize.plan import origin_text, resolved_storage, trial_seed
from tests.support.plans import a_plan


def test_a_trials_checkpoints_have_a_folder_of_their_own_for_its_whole_life(
    tmp_path: Path,
) -> None:
    plan = a_plan(tmp_path)
    assert plan.checkpoints(7) == tmp_path / "checkpoints" / "trial_0007"
    assert len({plan.checkpoints(number) for number in (1, 10, 10_001, 100_010)}) == 4


def test_objectives_keep_the_specs_order(tmp_path: Path) -> None:
    objectives = [
        {"metric": "right", "direction": "minimize"},
        {"metric": "left", "direction": "maximize"},
    ]
    plan = a_plan(tmp_path, objectives=objectives)
    assert plan.spec.metrics == ("right", "left")
    assert [each.direction for each in plan.spec.objectives] == ["minimize", "maximize"]


def test_the_driver_gets_the_plan_whole(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, hours=0.5)
    received = pickle.loads(pickle.dumps(plan))
    assert (received.spec, received.space, received.hours) == (plan.spec, plan.space, 0.5)
    assert received.storage == tmp_path and received.prior == plan.prior


def test_the_storage_path_means_the_same_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolved_storage(Path("results/../storage"), "hills-1") == tmp_path / "storage/hills-1"


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        ({"step": "random"}, "random"),
        ({"step": "portfolio", "source_runs": ["a", "b"]}, "portfolio from 2 past runs"),
        ({"step": "model", "source_runs": []}, "model"),
        ({"step": "history-model", "source_runs": ["a"]}, "history-model from 1 past run"),
        ({}, "?"),
        ({"step": 3, "source_runs": 7}, "?"),
    ],
)
def test_an_origin_is_told_in_a_few_words(origin: dict[str, Any], text: str) -> None:
    assert origin_text(origin) == text


def test_every_trial_has_a_seed_of_its_own_and_keeps_it() -> None:
    seeds = [trial_seed(0, number) for number in range(200)]
    assert len(set(seeds)) == 200
    assert seeds == [trial_seed(0, number) for number in range(200)]
    assert trial_seed(1, 0) != trial_seed(0, 0) and trial_seed(0, 1) != trial_seed(1, 0)
    assert all(0 <= seed < 2**31 for seed in seeds)

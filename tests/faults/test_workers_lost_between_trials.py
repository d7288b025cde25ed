"""Workers that are lost before their next trial has begun, in a search on real Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.launches import Place, assert_truthful, finished, hills

pytestmark = pytest.mark.slow


def test_a_worker_lost_before_its_trial_began_costs_that_trial_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    model = {"name": "hills", "train": "python:tests.support.lost_between_trials:hills"}
    budget, resources = {"trials": 4, "epochs": 2}, {"parallelism": 1, "cpus": 1}
    said = finished(place.run(hills(task=model, budget=budget, resources=resources)))
    assert_truthful(place, place.search(), trials=4, epochs=2)
    assert "trial 1 lost its worker; another takes it over" in said, "every second trial loses it"

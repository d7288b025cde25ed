"""Trials that find no memory beside another, with real Ray and a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launches import Place, assert_truthful, finished, hills

pytestmark = pytest.mark.slow


def test_trials_that_find_no_memory_beside_others_finish_alone(tmp_path: Path) -> None:
    place, places = Place(tmp_path), tmp_path / "places"
    places.mkdir()
    spec = hills(budget={"trials": 3, "epochs": 2})
    spec["task"]["model"] = "python:tests.search.optimize.crowded:crowded_hills"
    spec["task"]["settings"] = {"places": str(places)}
    finished(place.run(spec))
    search = place.search()
    said = [str(event.fields.get("message")) for event in place.events(search)]
    assert any("tried again alone" in message for message in said)
    assert_truthful(place, search, trials=3, epochs=2)

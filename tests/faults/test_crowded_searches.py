"""Trials that run out of memory next to another, with real Ray and a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.launches import Place, assert_truthful, finished, hills
from tests.support.ray_nodes import NODE, running_nodes

pytestmark = pytest.mark.slow


def crowded(folder: Path, **resources: Any) -> dict[str, Any]:
    """Runs two trials side by side; the later one runs out of memory."""
    places = folder / "places"
    places.mkdir()
    spec = hills(budget={"trials": 3, "epochs": 2})
    spec["task"]["train"] = "python:tests.support.crowded:crowded_hills"
    spec["task"]["settings"] = {"places": str(places)}
    return spec | {"resources": spec["resources"] | resources}


def test_trials_that_run_out_of_memory_next_to_others_finish_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    finished(place.run(crowded(tmp_path)))
    search = place.search()
    said = [str(event.fields.get("message")) for event in place.events(search)]
    assert any("retried alone" in message for message in said)
    assert_truthful(place, search, trials=3, epochs=2)


@pytest.mark.long
def test_trials_with_a_share_of_a_gpu_get_a_whole_one_for_their_second_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    # Ray accepts any stated number of GPUs; the trials need none.
    with running_nodes(1, monkeypatch, NODE | {"num_cpus": 4, "num_gpus": 1}) as nodes:
        finished(place.run(crowded(tmp_path, gpus=0.5), "--address", nodes.address))
    search = place.search()
    said = [str(event.fields.get("message")) for event in place.events(search)]
    assert any("retried alone" in message for message in said)
    assert_truthful(place, search, trials=3, epochs=2)

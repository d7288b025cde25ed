"""Where trials run on real Ray: nodes that come and go, trials that fit none of them."""

from __future__ import annotations

import pytest

from tests.support.functions import Gate
from tests.support.launches import (
    PATIENCE_SECONDS,
    Place,
    assert_truthful,
    finished,
    held_hills,
    hills,
)
from tests.support.ray_nodes import NODE, running_nodes, seconds_until

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 6, 2


def at_work(place: Place, search: str) -> int:
    """Returns the trials that have begun and not ended."""
    names = [event.name for event in place.events(search)]
    return names.count("start") - names.count("end")


@pytest.mark.long
def test_a_search_grows_with_its_cluster_and_survives_its_shrinking(
    place: Place, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = held_hills(
        gate, 0,
        budget={"trials": TRIALS, "epochs": EPOCHS}, resources={"parallelism": "auto", "cpus": 1},
    )  # fmt: skip
    with running_nodes(1, monkeypatch) as nodes:
        command = place.run(spec, "--address", nodes.address)
        search = place.search()
        seconds_until(lambda: at_work(place, search) == 1)
        added = [nodes.add_node(**NODE) for _ in range(2)]
        grown = seconds_until(lambda: at_work(place, search) == 3)
        print(f"three trials at once {grown:.0f} s after two nodes had joined")
        nodes.remove_node(added[0], allow_graceful=False)
        gate.open()
        finished(command)
    assert_truthful(place, search, TRIALS, EPOCHS)


def test_a_trial_that_fits_no_node_is_reported_and_waits_for_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = hills(budget={"trials": 2, "epochs": 2}, resources={"parallelism": "auto", "cpus": 2})
    with running_nodes(1, monkeypatch) as nodes:
        command = place.run(spec, "--address", nodes.address)
        search = place.search()
        place.wait_for(search, "driver", 3)
        told = [event.fields["message"] for event in place.events(search) if event.name == "driver"]
        assert any("no node holds a trial (2 CPUs" in message for message in told)
        nodes.add_node(**NODE | {"num_cpus": 2})
        finished(command)
    assert_truthful(place, search, 2, 2)


def test_a_trial_that_does_not_fit_this_machine_is_refused_before_any_starts(place: Place) -> None:
    command = place.run(hills(resources={"parallelism": "auto", "cpus": 1, "memory_gb": 1e5}))
    said, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 2, said
    assert "no node holds a trial (1 CPU, 0 GPUs, 100000 GB)" in " ".join(said.split())
    assert "Traceback" not in said
    assert place.raw_runs(place.search()) == []

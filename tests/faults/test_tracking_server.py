"""The tracking server dies in the middle of a search and comes back: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.functions import Gate
from tests.support.launches import Place, assert_truthful, finished, held_hills
from tests.support.servers import Server

pytestmark = pytest.mark.slow


def test_a_server_that_dies_and_comes_back_has_everything_in_the_end(
    server: Server, tmp_path: Path
) -> None:
    place, gate = Place(tmp_path, server.uri), Gate(tmp_path / "gate")
    command = place.run(held_hills(gate, 2, budget={"trials": 4, "epochs": 4}))
    search = place.search()
    place.wait_for(search, "epoch", 2)
    server.kill()
    gate.close_after(11)  # one of two trials side by side may have ended, with three of its own
    place.wait_for(search, "end", 2)  # the search does not notice
    server.start()
    gate.open()
    finished(command)
    assert_truthful(place, search, trials=4, epochs=4)


@pytest.mark.long
def test_a_server_that_stays_away_leaves_everything_to_resume(
    server: Server, tmp_path: Path
) -> None:
    place, gate = Place(tmp_path, server.uri), Gate(tmp_path / "gate")
    command = place.run(held_hills(gate, 1, budget={"trials": 2, "epochs": 2}))
    search = place.search()
    place.wait_for(search, "epoch", 1)
    server.kill()
    gate.open()
    output, _ = command.communicate(timeout=300)
    assert command.returncode == 4, output
    assert f"twentieth resume {search}" in output
    assert sum(event.name == "end" for event in place.events(search)) == 2
    server.start()
    finished(place.resume(search))
    assert_truthful(place, search, trials=2, epochs=2)
    starts = [event.fields["number"] for event in place.events(search) if event.name == "start"]
    assert sorted(starts) == [0, 1], "a finished trial was run again"

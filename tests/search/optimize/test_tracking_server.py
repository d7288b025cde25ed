"""The tracking server dies in the middle of a search and comes back: nothing is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.tracking.store import open_client
from tests.functions import Gate
from tests.launches import Place, assert_truthful, finished, held_hills

pytestmark = pytest.mark.slow


class Server:
    """An MLflow server on SQLite that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._store = f"sqlite:///{folder / 'server.db'}"
        self._artifacts = str(folder / "artifacts")
        open_client(self._store)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self._store,
             "--artifacts-destination", self._artifacts, "--host", "127.0.0.1",
             "--port", str(self.port), "--workers", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2)
                return
            except OSError:
                time.sleep(0.3)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


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

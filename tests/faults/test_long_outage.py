"""A tracking server that accepts calls and does not answer, for longer than any call waits.

What it took to catch up is printed: `pytest -s`.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from search.tracking.store import HTTP_RETRIES, HTTP_TIMEOUT_SECONDS, LONGEST_PAUSE_SECONDS
from search.tracking.write.journal import sent_offset, size
from tests.support.launches import Place, assert_truthful, finished, hills
from tests.support.ray_nodes import seconds_until
from tests.support.servers import Server

pytestmark = pytest.mark.long

TRIALS, EPOCHS = 12, 4
CALL_SECONDS = HTTP_TIMEOUT_SECONDS * (1 + HTTP_RETRIES)
# Calls fail more than once, and so does the check of the store after a failure. With 600 here
# it was tried once, too: see the table in the README.
OUTAGE_SECONDS = 60.0
# The last pause, a running call, and as much again for the queued events.
BACK_WITHIN = LONGEST_PAUSE_SECONDS + 2 * CALL_SECONDS + 20.0


def test_a_server_that_does_not_answer_for_long_has_everything_once_in_the_end(
    server: Server, tmp_path: Path
) -> None:
    place = Place(tmp_path, server.uri)
    spec = hills(budget={"trials": TRIALS, "epochs": EPOCHS})
    spec["task"]["settings"] = {"pause": OUTAGE_SECONDS / 20}
    command = place.run(spec)
    search = place.search()
    storage = place.folder / "storage" / search
    place.wait_for(search, "epoch", 2)
    ended = count(place, search, "end")
    server.tell(signal.SIGSTOP)
    stopped, sent = time.monotonic(), sent_offset(storage)
    while time.monotonic() - stopped < OUTAGE_SECONDS:
        assert command.poll() is None, command.communicate()[0]
        time.sleep(0.5)
    during = count(place, search, "end") - ended
    assert during >= 4, "the search must not notice"
    waiting = size(storage)
    assert sent_offset(storage) - sent < waiting / 10, "hardly anything can have been sent"
    server.tell(signal.SIGCONT)
    caught_up = seconds_until(lambda: sent_offset(storage) >= waiting, BACK_WITHIN)
    print(f"{during} trials ended meanwhile; sent {caught_up:.1f} s after the server was back")
    finished(command)
    assert_truthful(place, search, TRIALS, EPOCHS)


def count(place: Place, search: str, name: str) -> int:
    """Counts the events of a name in the journal."""
    return sum(event.name == name for event in place.events(search))

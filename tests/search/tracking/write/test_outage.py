"""What is said of a store that does not answer: once, with its reason, and not of a short pause."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.tracking.write import outage
from search.tracking.write.outage import Outage
from tests.support.stores import Store, new_store

AWAY = ConnectionError("the server is away")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(outage.time, "monotonic", lambda: now[0])
    return now


def test_an_outage_is_told_once_after_a_while_and_its_end_too(clock: list[float]) -> None:
    said: list[str] = []
    away = Outage(Path("/storage"), said.append)
    for second in (0, 10, 29):
        clock[0] = 100.0 + second
        away.note(AWAY)
    assert not said and away.why == "the server is away"
    for second in (30, 60):
        clock[0] = 100.0 + second
        away.note(AWAY)
    assert said == [
        "the tracking store does not answer (the server is away): trials go on, and their results "
        "wait in /storage"
    ]
    for _ in range(2):
        away.end()
    assert said[1:] == ["the tracking store answers again, and has everything"] and not away.why
    away.note(AWAY)  # another one begins
    assert len(said) == 2


def test_a_driver_that_waits_for_its_store_at_the_end_says_so_at_once(clock: list[float]) -> None:
    said: list[str] = []
    away = Outage(Path("/storage"), said.append)
    away.note(AWAY, waits_until=160.0)
    away.note(AWAY, waits_until=160.0)
    assert said == [
        "the tracking store does not answer (the server is away): it has 60 s more, then `resume` "
        "sends the rest"
    ]


def test_a_store_that_pauses_shortly_is_not_mentioned(clock: list[float]) -> None:
    said: list[str] = []
    away = Outage(Path("/storage"), said.append)
    away.note(AWAY)
    away.end()
    clock[0] += 60
    away.note(AWAY)
    assert said == []


@pytest.mark.slow
def test_a_search_whose_store_stays_away_knows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: object, **options: object) -> None:
        raise AWAY

    store: Store = new_store(tmp_path, "demo-2")
    monkeypatch.setattr(store.client, "log_batch", away)
    writer = store.writer()
    writer.start()
    store.trial(0)
    assert writer.close(timeout_seconds=1) > 0
    assert writer.outage.why == "the server is away"

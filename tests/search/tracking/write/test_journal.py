from __future__ import annotations

import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from search.tracking.write.journal import (
    FILE,
    Journal,
    read_events,
    save_sent_offset,
    sent_offset,
    size,
)
from tests.support.small_disks import fill, make_room, small_disk


def test_events_are_read_in_order_with_their_fields(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("start", number=1)
    journal.append("end", number=1, values=[0.5])
    events = list(read_events(tmp_path))
    assert [event.name for event in events] == ["start", "end"]
    assert events[1].fields == {"number": 1, "values": [0.5]}


def test_reading_continues_from_an_offset(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("start", number=1)
    (first,) = read_events(tmp_path)
    journal.append("start", number=2)
    (second,) = read_events(tmp_path, first.end)
    assert second.fields["number"] == 2


def test_a_line_cut_by_a_crash_is_not_read_and_the_next_one_is(tmp_path: Path) -> None:
    Journal(tmp_path).append("start", number=1)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"event": "end", "number"')
    assert [event.name for event in read_events(tmp_path)] == ["start"]
    Journal(tmp_path).append("start", number=2)
    assert [event.fields["number"] for event in read_events(tmp_path)] == [1, 2]


def test_a_line_that_is_not_an_event_is_skipped(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[1, 2]\n{"no": "event"}\n{"event": "end", "time": 5}\n')
    assert [event.time for event in read_events(tmp_path)] == [5]


def test_nan_survives_the_journal(tmp_path: Path) -> None:
    Journal(tmp_path).append("epoch", metrics={"loss": float("nan")})
    (event,) = read_events(tmp_path)
    assert event.fields["metrics"]["loss"] != event.fields["metrics"]["loss"]


def test_the_sent_offset_is_saved_and_defaults_to_zero(tmp_path: Path) -> None:
    assert sent_offset(tmp_path) == 0
    save_sent_offset(tmp_path, 123)
    assert sent_offset(tmp_path) == 123


def test_no_journal_means_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path)) == []


class Refusing:
    """A file that accepts `room` bytes and then refuses writes, until `room` is raised."""

    def __init__(self, path: Path, disk: dict[str, int]) -> None:
        self._file, self._disk = path.open("ab", buffering=0), disk

    def write(self, data: bytes) -> int:
        taken = data[: self._disk["room"]]
        if data and not taken:
            raise OSError(28, "No space left on device")
        self._disk["room"] -= len(taken)
        return self._file.write(taken)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The room that files of journals have."""
    disk = {"room": 0}
    opened = "search.tracking.write.journal._open_unbuffered"
    monkeypatch.setattr(opened, lambda path: Refusing(path, disk))
    return disk


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.tracking.write.journal.RETRY_SECONDS", 0.05)


# Nothing of the second line, some of it, and all but its newline.
@pytest.mark.parametrize("taken", [0, 1, 20, -1])
def test_lines_that_storage_refuses_wait_in_order_and_are_written_once(
    tmp_path: Path, taken: int, disk: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.write.journal.RETRY_SECONDS", 3600.0)
    journal, disk["room"] = Journal(tmp_path), 10_000
    journal.append("start", number=0)
    length = size(tmp_path)  # also the length of the next line
    disk["room"] = taken if taken >= 0 else length - 1
    for number in (1, 2, 3):
        journal.append("start", number=number)  # does not raise
    # The newline after a cut line bypasses the refusing file, so it completes line 1.
    seen = [event.fields["number"] for event in read_events(tmp_path)]
    assert seen == ([0] if taken >= 0 else [0, 1])
    disk["room"] = 10_000
    journal.append("start", number=4)
    assert [event.fields["number"] for event in read_events(tmp_path)] == [0, 1, 2, 3, 4]
    assert journal.close() == 0


def test_refused_lines_are_written_even_if_no_event_follows(
    tmp_path: Path, disk: dict[str, int], quick_retries: None
) -> None:
    journal = Journal(tmp_path)
    journal.append("end", number=0)
    disk["room"] = 10_000
    deadline = time.monotonic() + 20
    while not list(read_events(tmp_path)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    disk["room"] = 0
    journal.append("end", number=1)  # once more
    disk["room"] = 10_000
    assert journal.flush(20) == 0
    assert [event.fields["number"] for event in read_events(tmp_path)] == [0, 1]


@pytest.mark.slow
def test_closing_waits_for_storage_up_to_a_limit_and_counts_unwritten_events(
    tmp_path: Path, disk: dict[str, int], quick_retries: None, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    for number in (0, 1):
        journal.append("end", number=number)
    began = time.monotonic()
    assert journal.close(timeout_seconds=0.3) == 2
    assert 0.2 < time.monotonic() - began < 20
    assert "2 last events could not be written" in caplog.text


def test_threads_that_append_to_failing_storage_lose_and_duplicate_nothing(
    tmp_path: Path, disk: dict[str, int], quick_retries: None
) -> None:
    journal, disk["room"] = Journal(tmp_path), 1000
    with ThreadPool(4) as pool:
        waiting = pool.map_async(lambda each: journal.append("e", number=each), range(400))
        while not waiting.ready():
            time.sleep(0.003)
            disk["room"] = 333
    disk["room"] = 10**6
    assert journal.close(20) == 0
    assert sorted(event.fields["number"] for event in read_events(tmp_path)) == list(range(400))


def test_a_full_disk_loses_no_event(tmp_path: Path, quick_retries: None) -> None:
    with small_disk(tmp_path, kilobytes=64) as disk:
        journal = Journal(disk)
        journal.append("start", number=0)
        fill(disk)
        for number in range(1, 200):  # some still fit into the last page
            journal.append("start", number=number, text="x" * 100)
        assert len(list(read_events(disk))) < 200
        make_room(disk)
        assert journal.close(20) == 0
        assert [event.fields["number"] for event in read_events(disk)] == list(range(200))


def test_a_folder_that_is_missing_for_a_while_loses_no_event(
    tmp_path: Path, quick_retries: None
) -> None:
    folder = tmp_path / "mounted"
    journal = Journal(folder)
    folder.rename(tmp_path / "away")
    journal.append("start", number=0)
    (tmp_path / "away").rename(folder)
    assert journal.close(20) == 0
    assert [event.fields["number"] for event in read_events(folder)] == [0]

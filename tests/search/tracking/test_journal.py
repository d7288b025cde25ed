from __future__ import annotations

from pathlib import Path

from search.tracking.journal import FILE, Journal, read_events, save_sent_offset, sent_offset


def test_events_come_back_in_order_with_their_fields(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("start", number=1)
    journal.append("end", number=1, values=[0.5])
    events = list(read_events(tmp_path))
    assert [event.name for event in events] == ["start", "end"]
    assert events[1].fields == {"number": 1, "values": [0.5]}


def test_reading_goes_on_from_an_offset(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("start", number=1)
    (first,) = read_events(tmp_path)
    journal.append("start", number=2)
    (second,) = read_events(tmp_path, first.end)
    assert second.fields["number"] == 2


def test_a_line_cut_by_a_crash_is_not_read_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    Journal(tmp_path).append("start", number=1)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"event": "end", "number"')
    assert [event.name for event in read_events(tmp_path)] == ["start"]
    Journal(tmp_path).append("start", number=2)
    assert [event.fields["number"] for event in read_events(tmp_path)] == [1, 2]


def test_a_line_that_is_no_event_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[1, 2]\n{"no": "event"}\n{"event": "end", "time": 5}\n')
    assert [event.time for event in read_events(tmp_path)] == [5]


def test_nan_survives_the_journal(tmp_path: Path) -> None:
    Journal(tmp_path).append("epoch", metrics={"loss": float("nan")})
    (event,) = read_events(tmp_path)
    assert event.fields["metrics"]["loss"] != event.fields["metrics"]["loss"]


def test_what_was_sent_is_remembered_and_defaults_to_nothing(tmp_path: Path) -> None:
    assert sent_offset(tmp_path) == 0
    save_sent_offset(tmp_path, 123)
    assert sent_offset(tmp_path) == 123


def test_no_journal_means_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path)) == []

"""The journal: a write-ahead log of everything that happens in a search.

An exception in a Tune callback kills the whole search and a call to a dead tracking server blocks
for minutes, so the search only appends lines here. One thread sends them to the store
(writer.py), the console draws them, and a resume replays what was not sent. One file, three
readers, one truth.

A line is one JSON object with "event", "time" (milliseconds since 1970) and the "generation" of the
driver that wrote it. A last line without its newline was cut by a crash and is not read.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "journal.jsonl"
SENT = "journal.sent"


@dataclass(frozen=True)
class Event:
    """One line of the journal and the byte offset just after it."""

    name: str
    time: int
    generation: int
    fields: dict[str, Any]
    end: int


class Journal:
    """Appends events; any number of readers follow. Safe for several threads of one process."""

    def __init__(self, folder: Path, generation: int = 1) -> None:
        self._generation = generation
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._lock = threading.Lock()
        _end_with_newline(self.path)
        self._file = self.path.open("ab")

    def append(self, event: str, **fields: Any) -> int:
        """Writes one event so that a killed process leaves it behind; returns its time (ms)."""
        now = int(time.time() * 1000)
        record = {"event": event, "time": now, "generation": self._generation, **fields}
        line = json.dumps(record, allow_nan=True)
        with self._lock:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
        return now

    def close(self) -> None:
        """Flushes to the disk itself, so that a power cut after this loses nothing."""
        with self._lock:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def read_events(folder: Path, start: int = 0) -> Iterator[Event]:
    """The events from byte offset `start` on. A line that is no JSON object is passed over."""
    path = folder / FILE
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        while (line := file.readline()).endswith(b"\n"):
            event = _event(line, file.tell())
            if event is not None:
                yield event


def size(folder: Path) -> int:
    """Bytes in the journal; 0 if there is none."""
    path = folder / FILE
    return path.stat().st_size if path.exists() else 0


def sent_offset(folder: Path) -> int:
    """How many bytes of the journal have reached the store."""
    try:
        return int((folder / SENT).read_text())
    except (OSError, ValueError):
        return 0


def save_sent_offset(folder: Path, offset: int) -> None:
    """Remembers what has reached the store; replaced as a whole, so never half written."""
    temporary = folder / f"{SENT}.new"
    temporary.write_text(str(offset))
    temporary.replace(folder / SENT)


def _event(line: bytes, end: int) -> Event | None:
    try:
        fields = json.loads(line)
        name, moment = fields.pop("event"), int(fields.pop("time"))
        return Event(name, moment, int(fields.pop("generation", 0)), fields, end)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _end_with_newline(path: Path) -> None:
    # A crash can cut the last line; the next event must not be glued to it.
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")

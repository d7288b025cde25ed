"""The journal: a write-ahead log of the events of a search.

An exception in a Tune callback kills the whole search and a call to a dead tracking server blocks
for minutes, so the search only appends lines here. One thread sends them to the store
(journal_sender.py), the console draws them, and a resume replays what was not sent.

A line is one JSON object with "event", "time" (milliseconds since 1970) and the "generation" of the
driver that wrote it. A last line without a newline was cut by a crash and is not read.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

FILE = "journal.jsonl"
SENT = "journal.sent"
# Often enough for the console, seldom enough for a storage server that is down.
RETRY_SECONDS = 2.0
# How long a driver that ends waits for its storage: as long as a person waits after Ctrl-C.
CLOSE_SECONDS = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One line of the journal and the byte offset just after it."""

    name: str
    time: int
    generation: int
    fields: dict[str, Any]
    end: int


class Journal:
    """Appends events; any number of readers may follow. Safe for several threads of one process.

    While the storage refuses writes, events wait in memory, in order, and are written as soon as it
    accepts them: they are lost only if this process dies, and never written twice. Storage that
    accepts a line and loses it later (a server without fsync) is beyond its control.

    Args:
        folder: the search's storage path.
        generation: the generation of the driver that writes.
    """

    def __init__(self, folder: Path, generation: int = 1) -> None:
        self._generation = generation
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()  # lines not written yet
        self._retrying: threading.Thread | None = None
        self._closed = threading.Event()
        self._file: BinaryIO | None = None

    def append(self, event: str, **fields: Any) -> int:
        """Writes one event so that it survives a killed process; returns its time (ms).

        Never raises an error of the storage: in a Ray callback that would end the search.
        """
        now = int(time.time() * 1000)
        record = {"event": event, "time": now, "generation": self._generation, **fields}
        line = json.dumps(record, allow_nan=True)
        with self._lock:
            self._waiting.append(line.encode() + b"\n")
            if not self._write_waiting() and self._retrying is None and not self._closed.is_set():
                self._retrying = threading.Thread(
                    target=self._retry, name="journal-retry", daemon=True
                )
                self._retrying.start()
        return now

    def say(self, text: str, **fields: Any) -> None:
        """Writes a sentence of the driver for whoever watches the search."""
        self.append("driver", message=text, **fields)

    def flush(self, timeout_seconds: float) -> int:
        """Writes what waits, for at most `timeout_seconds`; returns how many events still wait."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            with self._lock:
                if self._write_waiting():
                    return 0
                waiting = len(self._waiting)
            if time.monotonic() >= deadline:
                return waiting
            time.sleep(min(RETRY_SECONDS, max(0.0, deadline - time.monotonic())))

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> int:
        """Writes what waits and syncs it to disk, so that a later power cut loses nothing.

        Returns:
            How many events could not be written within `timeout_seconds`; these are logged too.
        """
        unwritten = self.flush(timeout_seconds)
        self._closed.set()
        with self._lock:
            try:
                if self._file is not None:
                    os.fsync(self._file.fileno())
            except OSError as error:
                _log.error("%s may not survive a power cut: %s", self.path, error)
            self._close_file()
        if unwritten:
            _log.error("%d last events could not be written to %s", unwritten, self.path)
        return unwritten

    def _retry(self) -> None:
        """Writes what waits as soon as possible, even if nothing is appended for hours."""
        while not self._closed.wait(RETRY_SECONDS):
            with self._lock:
                if self._write_waiting():
                    self._retrying = None
                    return

    def _write_waiting(self) -> bool:
        """Writes what waits; returns whether all of it was written. The caller holds the lock."""
        while self._waiting:
            line, written = self._waiting[0], 0
            try:
                if self._file is None:
                    _end_with_newline(self.path)  # a refused write may have cut a line
                    self._file = _open_unbuffered(self.path)
                while written < len(line):
                    written += self._file.write(line[written:])
            except OSError as error:
                if self._retrying is None:
                    _log.warning("%s cannot be written, events wait: %s", self.path, error)
                if written == len(line) - 1:
                    self._waiting[0] = b""  # reopening adds the missing newline
                self._close_file()
                return False
            self._waiting.popleft()
        return True

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def read_events(folder: Path, start: int = 0) -> Iterator[Event]:
    """Yields the events from byte offset `start` on; a line that is no JSON object is skipped."""
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
    """Returns the bytes in the journal; 0 if there is none."""
    path = folder / FILE
    return path.stat().st_size if path.exists() else 0


def sent_offset(folder: Path) -> int:
    """Returns how many bytes of the journal have reached the store."""
    try:
        return int((folder / SENT).read_text())
    except (OSError, ValueError):
        return 0


def save_sent_offset(folder: Path, offset: int) -> None:
    """Saves how much has reached the store; the file is replaced atomically."""
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


def _open_unbuffered(path: Path) -> BinaryIO:
    # Unbuffered: a buffer would keep a refused line and write it a second time.
    return cast(BinaryIO, path.open("ab", buffering=0))


def _end_with_newline(path: Path) -> None:
    # A crash can cut the last line; the next event must not be appended to it.
    if path.exists() and path.stat().st_size:
        with path.open("rb+", buffering=0) as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")

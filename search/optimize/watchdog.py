"""Watchdog: what a trial is retried after: a worker that dies, an epoch that hangs, storage errors.

A worker notes in the trial's folder which epoch it begins. Deaths are counted there and not by Ray:
a trial that makes progress may lose any number of workers (spot nodes are taken away every few
hours), but one that kills its worker in the same epoch again and again must end. The count is for
one generation: a resumed search starts from zero.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

# Two retries, a usual number with Ray. With more, a configuration that always runs its node out of
# memory would end other trials there more often.
DEATHS_IN_ONE_EPOCH = 3
# A file server fails over, or somebody clears a full disk, within minutes; a GPU that waits longer
# costs more than the lost epoch.
STORAGE_PATIENCE_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 30.0
HANGS = "hangs.txt"

Result = TypeVar("Result")


class Watchdog:
    """The notes of one trial in one generation.

    Args:
        folder: The trial's folder, which exists.
        generation: The driver's generation.
        limit_seconds: How long an epoch, or the set-up, may take before it counts as a hang.
    """

    def __init__(self, folder: Path, generation: int, limit_seconds: float) -> None:
        self._notes = folder / f"attempts_{generation}.jsonl"
        self._hangs = folder / HANGS
        self._limit_seconds = limit_seconds
        self._begun = 0
        self._file: IO[bytes] | None = None

    def begin(self, epoch: int) -> str:
        """Notes that `epoch` begins; returns the failure if it has killed too many workers."""
        if epoch == self._begun:
            return ""
        self._begun = epoch
        offsets = [hangs for noted, hangs in self._read() if noted == epoch]
        if len(offsets) >= DEATHS_IN_ONE_EPOCH:
            return _why(epoch, len(offsets), self._limit_seconds, self._last_hang(offsets[0]))
        size = self._hangs.stat().st_size if self._hangs.exists() else 0
        line = json.dumps({"epoch": epoch, "hangs": size})
        with self._notes.open("ab") as file:
            # The newline comes first, so that a line that a crash has cut spoils no other.
            file.write(f"\n{line}".encode())
            os.fsync(file.fileno())  # the next attempt may be on another node
        return ""

    def watch(self) -> None:
        """Ends this process, with a traceback in the folder, unless stopped within the limit.

        A C thread does it, so it works while Python is stuck in a call that never returns.
        """
        if self._file is None:
            self._file = self._hangs.open("ab", buffering=0)
        faulthandler.dump_traceback_later(self._limit_seconds, exit=True, file=self._file)

    def stop_watching(self) -> None:
        """Stops watching: an idle worker, which waits for its next trial, does not hang."""
        faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Closes the files in the folder: this worker takes another trial."""
        self.stop_watching()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> list[tuple[int, int]]:
        found = []
        for line in self._notes.read_text().splitlines() if self._notes.exists() else ():
            try:
                note = json.loads(line)
                found.append((int(note["epoch"]), int(note["hangs"])))
            except (ValueError, KeyError, TypeError):
                continue  # cut by a crash, or the empty first line
        return found

    def _last_hang(self, since: int) -> str:
        """Returns the traceback of the last hang after byte `since` of the file; "" without one."""
        if not self._hangs.exists():
            return ""
        dumps = self._hangs.read_bytes()[since:].decode(errors="replace").split("Timeout (")
        return dumps[-1].partition("\n")[2] if len(dumps) > 1 else ""


def patiently(
    action: Callable[[], Result],
    seconds: float = STORAGE_PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Runs an action on the storage, and retries it for about `seconds` while it raises OSError.

    Raises:
        OSError: The last one, with how long it was retried.
    """
    pause, waited = 1.0, 0.0
    while True:
        try:
            return action()
        except OSError as error:
            if waited >= seconds:
                raise OSError(
                    f"the storage has failed for {waited:.0f} s: {error}; fix: make room there or "
                    "mount it again, then resume the search"
                ) from error
        pause = min(pause, max(0.01, seconds - waited))
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)


def _why(epoch: int, deaths: int, limit_seconds: float, hang: str) -> str:
    what = f"its worker died {deaths} times in epoch {epoch}"
    if not hang:
        return f"{what}; the cause is in Ray's log: often memory, or the node"
    limit = f"{limit_seconds / 60:g} min (budget.epoch_minutes)"
    return f"{hang.strip()}\n{what}; the last one hung for more than {limit} {_place(hang)}"


def _place(hang: str) -> str:
    """Returns the innermost frame of the thread that trains.

    It is that of a user's own function, or the one that went through trainable.py; a thread's
    innermost frame comes first.
    """
    threads = re.split(r"\n\s*\n|(?=^(?:Current thread|Thread) 0x)", hang, flags=re.MULTILINE)
    marks = ("in call_function", "optimize/trainable.py")
    found = [each for mark in marks for each in threads if mark in each]
    ours = next(iter(found), threads[-1])
    frames = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', ours)
    if not frames:
        return "at an unknown place"
    file, line, function = frames[0]
    return f"in {function} ({'/'.join(Path(file).parts[-2:])}, line {line})"

"""CPU leases: searches on one machine share its cores instead of each taking all of them.

A lease is a locked file for each core, in a folder that all searches of this user with the same
temporary folder share. Who comes first is served first: a search that waits has a numbered ticket,
also a locked file, and of those that may run on a core the lowest number takes it. A lock is
released when its process ends, also by kill -9. For local searches only: on a cluster Ray counts
the cores.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from search.history.plurals import counted
from search.optimize.cores import machine_cpus, usable_cores

ASK_AGAIN_SECONDS = 1.0
# A new sentence whenever somebody else holds the cores, but no stream of them.
SAY_AGAIN_SECONDS = 30.0


def lease_folder() -> Path:
    """Returns the folder of locks that searches of this user with this TMPDIR share."""
    return Path(tempfile.gettempdir()) / f"twentieth-cpus-{os.getuid()}"


def lease_cpus(
    wanted: int,
    *,
    search: str,
    say: Callable[[str], None],
    waits: bool = True,
    folder: Path | None = None,
    cores: Sequence[int] | None = None,
    must_stop: Callable[[], bool] = lambda: False,
) -> list[FileLock] | None:
    """Locks `wanted` cores, waiting until that many are free; the caller keeps the locks.

    All or none: two searches that each hold half would wait for ever.

    Args:
        wanted: Number of cores; more than the machine has counts as all of them.
        search: Who takes them, for others that wait.
        say: Called with who holds them if it has to wait, and again when that changes.
        waits: False takes those that are free, perhaps none, and does not wait.
        folder: Folder of the locks.
        cores: Numbers of the cores of the machine.
        must_stop: Called while waiting; True gives up.

    Returns:
        The locks; None if it gave up.
    """
    folder = folder or lease_folder()
    problem = _problem_of(folder)
    if problem:
        say(f"{problem}: cores are not shared with other searches; fix: remove it")
        return []
    if cores is None:
        cores, most = usable_cores(), machine_cpus()
    else:
        most = len(cores)
    queue = _Queue(folder, search, cores)
    wanted = min(wanted, most)
    if not waits:
        with queue.alone():
            return queue.take(wanted, least=0)
    said, said_at = "", -SAY_AGAIN_SECONDS
    with queue.ticket() as number:
        while not must_stop():
            with queue.alone():
                ahead = queue.ahead(number)
                held = [] if ahead else queue.take(wanted, least=wanted)
                text = "" if held else queue.in_words(ahead)
            if held:
                return held
            if text != said and time.monotonic() - said_at >= SAY_AGAIN_SECONDS:
                why = f"waiting for {wanted} of {counted(most, 'core')}: {text}"
                say(f"{why}; --share-cores does not wait")
                said, said_at = text, time.monotonic()
            time.sleep(ASK_AGAIN_SECONDS)
    return None


class _Queue:
    """The tickets and the locks of cores in one folder. What is in it is looked at `alone`."""

    def __init__(self, folder: Path, search: str, cores: Sequence[int]) -> None:
        self._folder, self._search, self._cores = folder, search, cores

    def alone(self) -> FileLock:
        """Returns the lock that one process at a time holds, for milliseconds."""
        return FileLock(self._folder / "queue.lock")

    @contextlib.contextmanager
    def ticket(self) -> Iterator[int]:
        """Yields a number behind all that wait, which is given back at the end."""
        with self.alone():
            number = max(self._tickets(), default=0) + 1
            lock = FileLock(self._ticket(number), blocking=False)
            lock.acquire()
            _note(lock).write_text(json.dumps(list(self._cores)))
        try:
            yield number
        finally:
            with self.alone():
                self._give_back(lock)

    def ahead(self, number: int) -> int:
        """Counts those that came before and wait for a core that this search may run on.

        Removes the tickets whose processes have ended.
        """
        living = 0
        for other in self._tickets():
            if other < number:
                lock = FileLock(self._ticket(other), blocking=False)
                try:
                    lock.acquire()
                except Timeout:
                    theirs = _read(_note(lock))
                    is_apart = isinstance(theirs, list) and not set(theirs) & set(self._cores)
                    living += not is_apart
                else:
                    self._give_back(lock)
        return living

    def take(self, wanted: int, least: int) -> list[FileLock]:
        """Locks up to `wanted` free cores, but none if fewer than `least` are free."""
        held: list[FileLock] = []
        for core in self._cores:
            if len(held) < wanted:
                lock = FileLock(self._folder / f"core-{core}.lock", blocking=False)
                with contextlib.suppress(Timeout):
                    lock.acquire()
                    held.append(lock)
        if len(held) < least:
            for lock in held:
                lock.release()
            return []
        user = psutil.Process().username()
        note = {"search": self._search, "pid": os.getpid(), "user": user, "since": time.time()}
        for lock in held:
            _note(lock).write_text(json.dumps(note))
        return held

    def in_words(self, ahead: int) -> str:
        """Returns who holds cores and how many wait before this search."""
        holders = Counter(map(self._holder, self._cores))
        del holders[""]
        said = [f"{who} holds {count}" for who, count in holders.items()]
        if ahead:
            verb = "waits" if ahead == 1 else "wait"
            said.append(f"{counted(ahead, 'search', 'searches')} {verb} before this one")
        return "; ".join(said) or "they were free a moment ago"

    def _holder(self, core: int) -> str:
        """Returns who holds a core; "" if nobody does."""
        lock = FileLock(self._folder / f"core-{core}.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            try:
                note = _read(_note(lock))
                since = datetime.fromtimestamp(float(note["since"]))
                return (
                    f"{note['search']} (process {note['pid']} of {note['user']}, since "
                    f"{since:%d %b %H:%M})"
                )
            except (ValueError, KeyError, TypeError):
                return "an unknown process"
        lock.release()
        return ""

    def _give_back(self, ticket: FileLock) -> None:
        ticket.release()
        for path in (Path(ticket.lock_file), _note(ticket)):
            path.unlink(missing_ok=True)

    def _tickets(self) -> list[int]:
        names = [each.stem.removeprefix("ticket-") for each in self._folder.glob("ticket-*.lock")]
        return sorted(int(name) for name in names if name.isdigit())

    def _ticket(self, number: int) -> Path:
        return self._folder / f"ticket-{number}.lock"


def _note(lock: FileLock) -> Path:
    """Returns the file that says what a lock is for."""
    return Path(lock.lock_file).with_suffix(".json")


def _read(note: Path) -> Any:
    """Returns what a note says; None if it cannot be read."""
    try:
        return json.loads(note.read_text())
    except (OSError, ValueError):
        return None


def _problem_of(folder: Path) -> str:
    """Makes the folder; returns why it is not this user's own, "" if it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        return f"{folder} cannot be used ({error.strerror})"
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return f"{folder} is no folder of this user"
    return ""

"""Watchdog: what a trial is retried after: a worker that dies, an epoch that hangs, storage errors.

A worker notes in the trial's folder which epoch it begins. Deaths are counted there and not by Ray:
a trial that makes progress may lose any number of workers (spot nodes are taken away every few
hours), but one that kills its worker in the same epoch again and again must end. The count is for
one generation: a resumed search starts from zero.

Ray's text is the same for a lost node, a lack of memory, `os._exit` and a crash in C, so a worker
also notes what it dies of, where it can: a hang, `os._exit` and fatal signals leave a traceback. A
death without one came from outside (SIGKILL: memory, the node).
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NoReturn, TypeVar

# Two retries, a usual number with Ray. With more, a configuration that always runs its node out of
# memory would end other trials there more often.
DEATHS_IN_ONE_EPOCH = 3
# A file server fails over, or somebody clears a full disk, within minutes; a GPU that waits longer
# costs more than the lost epoch.
STORAGE_PATIENCE_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 30.0
# A fatal signal may come from a GPU or a race, and happen once; what crashes twice in one epoch is
# taken to crash always.
CRASHES_IN_ONE_EPOCH = 2
# The tracebacks of a trial's deaths, each after one of these lines.
DEATHS = "deaths.txt"
_HANG, _CRASH, _EXIT = "Timeout", "Fatal Python error", "Exit"
_DEATH = re.compile(
    rf"^(?P<kind>{_HANG}|{_CRASH}|{_EXIT}):? (?P<said>.*)\n(?P<stack>[^\0]*)", re.MULTILINE
)
_exit_process = os._exit

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
        self._deaths = folder / DEATHS
        self._limit_seconds = limit_seconds
        self._begun, self._process = 0, os.getpid()
        self._file: IO[bytes] | None = None

    def begin(self, epoch: int) -> str:
        """Notes that `epoch` begins; returns the failure if it has killed too many workers."""
        if epoch == self._begun:
            return ""
        self._begun = epoch
        told = self._deaths.read_bytes() if self._deaths.exists() else b""
        noted = self._read()
        ends = [*(offset for _, offset in noted[1:]), len(told)]
        deaths = [
            _DEATH.search(told[offset:end].decode(errors="replace"))
            for (began, offset), end in zip(noted, ends, strict=False)
            if began == epoch
        ]
        if failure := _failure(epoch, deaths, self._limit_seconds):
            return failure
        line = json.dumps({"epoch": epoch, "deaths": len(told)})
        with self._notes.open("ab") as file:
            # The newline comes first, so that a line that a crash has cut spoils no other.
            file.write(f"\n{line}".encode())
            os.fsync(file.fileno())  # the next attempt may be on another node
        return ""

    def watch(self) -> None:
        """Has this process leave a traceback if it dies, and ends it after the limit.

        C code does both, so they work while Python is stuck in a call that never returns.
        """
        if self._file is None:
            self._file = self._deaths.open("ab", buffering=0)
        faulthandler.dump_traceback_later(self._limit_seconds, exit=True, file=self._file)
        faulthandler.enable(self._file)
        os._exit = self._exit

    def stop_watching(self) -> None:
        """Stops watching: an idle worker, which waits for its next trial, does not hang."""
        faulthandler.cancel_dump_traceback_later()
        if os._exit == self._exit:
            os._exit = _exit_process
            faulthandler.enable(2, all_threads=False)  # as Ray's workers have it

    def _exit(self, status: int) -> NoReturn:
        """Notes where this process ends itself; a process that it has forked just ends."""
        if os.getpid() == self._process and self._file is not None:
            stack = "".join(traceback.format_stack()[:-1])
            self._file.write(f"{_EXIT} {status}\n{stack}".encode())
        _exit_process(status)

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
                found.append((int(note["epoch"]), int(note["deaths"])))
            except (ValueError, KeyError, TypeError):
                continue  # cut by a crash, or the empty first line
        return found


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


def _failure(epoch: int, deaths: Sequence[re.Match[str] | None], limit_seconds: float) -> str:
    """Returns why a trial has failed whose workers died so in one epoch; "" if it is retried."""
    kinds = [death["kind"] if death else "" for death in deaths]
    exits, crashes = kinds.count(_EXIT), kinds.count(_CRASH)
    if not exits and crashes < CRASHES_IN_ONE_EPOCH and len(deaths) < DEATHS_IN_ONE_EPOCH:
        return ""
    what = f"its worker died{f' {len(deaths)} times' if len(deaths) > 1 else ''} in epoch {epoch}"
    last = deaths[-1]
    if last is None:
        return (f"{what}; the last one was killed from outside (SIGKILL): often memory, or the "
                "node; the cause is in Ray's log")  # fmt: skip
    stack, said = last["stack"].strip(), last["said"]
    if last["kind"] == _EXIT:
        return (f"{stack}\n{what}: it called os._exit({said}); fix: return to end the trial, raise "
                "an exception to fail it")  # fmt: skip
    if last["kind"] == _CRASH:
        crashed = re.search(r"^Current thread[^\0]*?(?=\n\n|\Z)", stack, re.MULTILINE)
        stack = crashed[0] if crashed else stack  # the others wait, as for the next trial
        return f"{stack}\n{what}; the last one crashed ({said}) {_place(stack)}"
    limit = f"{limit_seconds / 60:g} min (budget.epoch_minutes)"
    return f"{stack}\n{what}; the last one hung for more than {limit} {_place(stack)}"


def _place(told: str) -> str:
    """Returns the innermost frame of the thread that crashed, or that trains.

    The latter is that of a user's own function, or the one that went through trainable.py; a
    thread's innermost frame comes first.
    """
    threads = re.split(r"\n\s*\n|(?=^(?:Current thread|Thread) 0x)", told, flags=re.MULTILINE)
    marks = ("Current thread", "in call_function", "optimize/trainable.py")
    found = [each for mark in marks for each in threads if mark in each]
    ours = next(iter(found), threads[-1])
    frames = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', ours)
    if not frames:
        return "at an unknown place"
    file, line, function = frames[0]
    return f"in {function} ({'/'.join(Path(file).parts[-2:])}, line {line})"

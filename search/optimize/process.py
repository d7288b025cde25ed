"""Runs a plan: starts the driver, follows its journal, stops it politely on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from search.optimize.driver import LOG, drive
from search.optimize.plan import Plan
from search.tracking.write.journal import Event, read_events, size

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class DriverAnswer:
    """How a launch ended: done, alive, lost, refused, unsent, failed (see driver.drive)."""

    status: str
    message: str = ""
    state: str = "interrupted"


class Launch:
    """One launch of a search, in a child process of this one."""

    def __init__(self, plan: Plan) -> None:
        self._storage = plan.storage
        self._offset = size(plan.storage)
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=drive, args=(plan, theirs), name=f"driver of {plan.search}"
        )
        self._process.start()
        theirs.close()

    def events(self) -> Iterator[Event | None]:
        """What happens, as it happens; None when nothing new did. Ends with the driver."""
        while True:
            ended = not self._process.is_alive()
            is_quiet = True
            for event in read_events(self._storage, self._offset):
                self._offset, is_quiet = event.end, False
                yield event
            if ended:
                return
            if is_quiet:
                yield None
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Asks the driver to stop; it keeps what is under way for `resume`."""
        try:
            self._connection.send("stop")
        except OSError:
            pass  # it has ended already

    def kill(self) -> None:
        """Ends the driver at once. Nothing finished is lost, but runs look alive for a while."""
        self._process.kill()

    def answer(self) -> DriverAnswer:
        """How it ended, once `events` has."""
        self._process.join()
        try:
            if self._connection.poll():
                return DriverAnswer(**self._connection.recv())
        except EOFError:
            pass
        code = self._process.exitcode
        return DriverAnswer("failed", f"the driver ended with code {code} and said nothing")


def log_tail(storage: Path, lines: int = 12) -> str:
    """The end of the driver's log, to show when it failed."""
    try:
        return "\n".join((storage / LOG).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"

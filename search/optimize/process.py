"""Run a plan: start the driver process, follow its journal, ask it to stop on Ctrl-C.

The driver is `python -m search.optimize`, which takes the plan from a pipe. A process of
multiprocessing would run the user's script again, which then needs a main guard.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from pathlib import Path

from search.optimize.first_worker import PATIENCE_SECONDS, no_worker
from search.optimize.plan import LOG, Plan
from search.tracking.write.journal import Event, read_events, size

POLL_SECONDS = 0.2
# How long a driver that has answered may take to shut Ray down; usually it takes a second or two.
SHUTDOWN_SECONDS = 60.0


@dataclass(frozen=True)
class DriverAnswer:
    """How a launch ended: as `driver.drive` says, or died, without an answer."""

    status: str
    message: str = ""
    state: str = "interrupted"


class Launch:
    """One launch of a search, in a child process of this one."""

    def __init__(self, plan: Plan) -> None:
        self._storage = plan.storage
        self._offset = size(plan.storage)
        self._connection, theirs = Pipe()
        self._answer: DriverAnswer | None = None
        self._answered_at = 0.0
        self._overdue = math.inf  # when the driver must have written another event
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "search.optimize", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                # Ctrl-C in the terminal goes to this process alone, which then asks it to stop.
                start_new_session=True,
            )  # fmt: skip
        with contextlib.suppress(OSError):  # it has ended already, as its exit code says
            self._connection.send(sys.path)
            self._connection.send(plan)

    def events(self) -> Iterator[Event | None]:
        """Yields events as they come, None when there is none; ends with the driver.

        A driver that has answered and hangs, as in Ray's shutdown, is killed: nothing is left to do
        there. One that Ray keeps waiting for workers is killed, too: after an event `within` whose
        seconds another one must come. May be called again after an interrupt ended the iteration.
        """
        while True:
            ended = self._process.poll() is not None
            self._take_answer()
            if self._answer and time.monotonic() - self._answered_at > SHUTDOWN_SECONDS:
                self.kill()
            is_quiet = True
            for event in read_events(self._storage, self._offset):
                self._offset, is_quiet = event.end, False
                self._overdue = time.monotonic() + event.fields.get("within", math.inf)
                yield event
            if ended:
                return
            if time.monotonic() > self._overdue and self._answer is None:
                self._answer = DriverAnswer("failed", no_worker(PATIENCE_SECONDS))
                self.kill()
            if is_quiet:
                yield None
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Asks the driver to stop; running trials are kept for `resume`."""
        with contextlib.suppress(OSError):  # it has ended already
            self._connection.send("stop")

    def kill(self) -> None:
        """Kills the driver. No finished trial is lost, but runs look alive for a while."""
        self._process.kill()

    def answer(self) -> DriverAnswer:
        """Returns how the driver ended, after `events` has; how it died after that is no matter."""
        code = self._process.wait()
        self._take_answer()
        self._connection.close()
        return self._answer or DriverAnswer("died", f"the driver {_death(code)} without an answer")

    def _take_answer(self) -> None:
        """Reads the driver's answer, if there is one."""
        with contextlib.suppress(EOFError, OSError):  # it has died
            if self._answer is None and self._connection.poll():
                self._answer = DriverAnswer(**self._connection.recv())
                self._answered_at = time.monotonic()


def _death(code: int) -> str:
    """How a process ended, in words; a negative code is that of a signal."""
    if code >= 0:
        return f"ended with code {code}"
    # The kernel's answer to a lack of memory leaves no other trace.
    why = " (by someone, or for lack of memory)" if -code == signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-code).name}{why}"


def log_tail(storage: Path) -> str:
    """Returns the last lines of the driver's log, to show when it failed."""
    try:
        return "\n".join((storage / LOG).read_text(errors="replace").splitlines()[-12:])
    except OSError:
        return "(no log)"

"""A thread for a function that reports as it goes, run from one report to the next.

The caller and the function alternate: while one works, the other waits. So a function that calls
`report` can be stepped like a generator, whatever calls lie between it and the report (a trainer of
another library, its callbacks). If it is ended, the report that it waits in raises `Ended`, which
unwinds its `finally` blocks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

# To close files and end processes takes seconds; more is a function that refuses to end.
_PATIENCE_SECONDS = 60.0


class Ended(BaseException):
    """Unwinds a training function whose trial has ended; no `except Exception` stops it."""


class StillRunning(RuntimeError):
    """A function did not end when it was told to."""


class FunctionThread:
    """A function in a thread, made to run by `advance`.

    Args:
        function: Called without arguments; calls `hand_over` with each report.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._thread = threading.Thread(
            target=self.call_function, name="training function", daemon=True
        )
        self._process = os.getpid()
        self._may_go, self._has_come = threading.Semaphore(0), threading.Semaphore(0)
        self._report: Any = None
        self._error: BaseException | None = None
        self.has_ended = self.is_ending = self._is_waiting = False

    def advance(self) -> Any:
        """Run the function up to its next report, and return that; None once it has returned.

        Raises:
            BaseException: what the function raises, with its traceback.
        """
        if self.has_ended:
            return None
        self._report = None
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._may_go.release()
        self._has_come.acquire()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._report

    def hand_over(self, report: object) -> None:
        """Give a report to the caller, and wait for the next `advance`; called by the function.

        Raises:
            Ended: the trial has ended.
            RuntimeError: this is another process, a worker of the function's.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                "trial.report was called in another process; fix: report from the process that "
                "the training function was called in, such as rank 0"
            )
        if not self.is_ending:
            self._report, self._is_waiting = report, True
            self._has_come.release()
            self._may_go.acquire()
            self._is_waiting = False
        if self.is_ending:
            raise Ended

    def close(self) -> None:
        """End the function where it waits, and wait until its `finally` blocks have run.

        A function at work, whose caller was interrupted, is left alone: its process ends.

        Raises:
            StillRunning: it goes on all the same.
            BaseException: what it raises while it ends.
        """
        self.is_ending = True
        if self.has_ended or not self._is_waiting:
            return
        self._may_go.release()
        self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive():
            raise StillRunning(f"the training function has not ended {_PATIENCE_SECONDS:g} s after "
                               "its trial; fix: let trial.report end it")  # fmt: skip
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def call_function(self) -> None:
        """Run the function to its end; its name is how a watchdog finds this thread."""
        try:
            self._function()
        except Ended:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self.has_ended = True
            self._has_come.release()

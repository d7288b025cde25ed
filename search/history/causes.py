"""Causes of failures: what the recorded reason of a trial's end says about its configuration.

A trial that diverged, ran out of memory, collapsed, masked its gradients, hung, raised or was
killed again and again in one epoch (often for its memory) says that its configuration failed. One
that lost its node, could not write its files or was stopped by a user says nothing about it, and
neither does a result without the objectives, which is a mistake in the task. Not for what is
learned from them (`search/extract/failures.py`).
"""

from __future__ import annotations

import re
from typing import Literal

from search.history.states import State

Cause = Literal[
    "out of memory",
    "diverged",
    "collapsed",
    "masked gradients",
    "killed",
    "hung",
    "error",
    "unknown",
]
# So begins the reason of a trial whose robust accuracy may be false (`optimize/outcome.py`).
IN_DOUBT = "the robust accuracy is in doubt"

# A reason is kept in the store as a tag of one line, of so many characters at most.
LONGEST_REASON = 500
# The texts are those of `optimize/outcome.py` and `optimize/watchdog.py`.
_SAID: tuple[tuple[str, Cause | Literal[""]], ...] = (
    (r"^it lost more than", ""),  # first, for it quotes what Ray said of the last worker
    (r"out of memory", "out of memory"),
    (r"killed from outside \(SIGKILL\)", "killed"),
    (r"^not finite", "diverged"),
    (r"for catastrophic overfitting$", "collapsed"),
    (rf"^{IN_DOUBT}", "masked gradients"),
    (r"hung for more than", "hung"),
    # Of the machines, the storage or the task, whatever the configuration is.
    (r"the storage has failed|No space left on device", ""),
    (r"^reported no |^KeyboardInterrupt|Connection(Refused|Reset|Aborted)?Error\b", ""),
)


def last_line(reason: str) -> str:
    """Return the line of a reason that says what happened; "" without any."""
    lines = reason.strip().splitlines()
    return lines[-1][:LONGEST_REASON] if lines else ""


def cause_of(state: State, reason: str) -> Cause | Literal[""]:
    """Return why a configuration failed; "" if it did not, or if that says nothing about it.

    Args:
        state: How its trial ended. One that was stopped has failed only if it had collapsed.
        reason: The recorded reason, all of it or its last line; "" if unknown.
    """
    if state not in ("failed", "stopped"):
        return ""
    line = last_line(reason)
    found = next((cause for said, cause in _SAID if re.search(said, line)), None)
    if state == "stopped":
        return "collapsed" if found == "collapsed" else ""
    if found is None:
        return "error" if line else "unknown"
    return found

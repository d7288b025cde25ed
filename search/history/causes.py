"""Causes of failures: what the recorded reason of a trial's end says about its configuration.

A trial that diverged, ran out of memory, collapsed, masked its gradients, hung, raised or was
killed again and again in one epoch (often for its memory) says that its configuration failed. One
that lost its node, could not write its files or was stopped by a user says nothing about it, and
neither does a result without the objectives, which is a mistake in the task. Not for what is
learned from them (`search/extract/failures.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from models.adversarial.checks.warning import GradientMaskingWarning
from models.scores.metric_names import MetricName
from search.history.states import State
from search.objectives.objective import value_text

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
# So begins the reason of a trial whose robust accuracy may be false.
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


def reason_of_doubt(doubts: Sequence[GradientMaskingWarning], values: Mapping[str, float]) -> str:
    """Return why a trial whose robust accuracies may be false has failed, in a line.

    Args:
        doubts: What its confirmation warned of.
        values: The objectives' values, by metric; those without an attack are left out.
    """
    found = "; ".join(f"{each.name} ({each.measured})" for each in doubts)
    attacked = ", ".join(
        f"{name} {value_text(value)}"
        for name, value in values.items()
        if MetricName.parse(name).is_attacked
    )
    fix = "fix: return logits that nothing masks, or let it count by robustness: {doubtful: keep}"
    return f"{IN_DOUBT}, and {attacked} does not count: {found}; {fix}"


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

"""Failures that are alike: a mistake in the task, which every trial would run into.

A search whose trials all fail at one place would spend its whole budget on that place. Out of
memory, NaN and masked gradients are results of a configuration and do not count.
"""

from __future__ import annotations

import re
from pathlib import Path

from search.history.causes import cause_of, last_line
from search.history.plurals import counted
from search.optimize.outcome import Outcome

# A part of the space that fails, say a third of it, gives three in a row about every thirtieth
# trial, but nine in a row in one of 20,000.
_MORE_AFTER_A_SUCCESS = 3
# A failure's own place is in the user's code, where it went through that.
_OURS = tuple(str(Path(__file__).resolve().parents[2] / each) for each in ("search", "models"))
_RESULTS = ("out of memory", "diverged", "masked gradients")
_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+), in (\S+)', re.MULTILINE)


class AlikeFailures:
    """Counts the failures in a row that are alike.

    Args:
        most: After so many the search has failed; 0: never.

    Attributes:
        why: Why the search has failed; "" while it has not.
        numbers: The trials that failed alike, last.
    """

    def __init__(self, most: int) -> None:
        self._most, self._kind = most, ""
        self._has_success = False
        self.why, self.numbers = "", list[int]()

    def note(self, number: int, outcome: Outcome) -> None:
        """Takes the end of a trial, in the order of their ends."""
        self._has_success |= outcome.state in ("complete", "stopped")
        kind = kind_of(outcome)
        if kind != self._kind or not kind:
            self._kind, self.numbers = kind, []
        if not kind:
            return
        self.numbers.append(number)
        needed = self._most * (_MORE_AFTER_A_SUCCESS if self._has_success else 1)
        if self._most and len(self.numbers) >= needed and not self.why:
            self.why = (
                f"{counted(len(self.numbers), 'trial')} in a row failed alike: {kind}; fix the "
                "cause and resume the search, which runs them again"
            )


def kind_of(outcome: Outcome) -> str:
    """Returns a failure's last line and place; "" for an end that does not count."""
    line = last_line(outcome.reason)
    is_result = cause_of(outcome.state, line) in _RESULTS
    if outcome.state != "failed" or not line or is_result:
        return ""
    frames = _FRAME.findall(outcome.reason)
    own = [frame for frame in frames if not frame[0].startswith(_OURS)] or frames
    place = f" ({own[-1][0]}:{own[-1][1]})" if own else ""
    return line + place

"""Says that a store is away, with its reason, and that it is back: once each, and no short pause.

A search goes on without its store, so nothing else shows that one is missing until the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from search.tracking.server import reason_in_words

# A server that restarts is back sooner. MLflow's client alone tries for 20 s.
SILENT_SECONDS = 30.0


class Outage:
    """The current outage of a store, if there is one.

    Attributes:
        why: Its reason in words; "" while the store answers.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._began = math.inf
        self._has_said = False
        self.why = ""

    def note(self, error: Exception, *, waits_until: float = math.inf) -> None:
        """Notes that the store did not answer.

        Args:
            error: What the client raised.
            waits_until: When the driver gives up waiting for it; infinite while trials go on.
        """
        now, self.why = time.monotonic(), reason_in_words(error)
        self._began = min(self._began, now)
        is_last = waits_until < math.inf
        if self._has_said or (not is_last and now - self._began < SILENT_SECONDS):
            return
        self._has_said = True
        what = f"trials go on, and their results wait in {self._folder}"
        if is_last:
            what = f"it has {max(0.0, waits_until - now):.0f} s more, then `resume` sends the rest"
        self._say(f"the tracking store does not answer ({self.why}): {what}")

    def end(self) -> None:
        """Notes that the store has everything."""
        if self._has_said:
            self._say("the tracking store answers again, and has everything")
        self._began, self._has_said, self.why = math.inf, False, ""

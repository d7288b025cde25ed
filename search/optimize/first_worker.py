"""The first worker of a launch: Ray starts workers that cannot run anywhere again without end.

Once a worker has begun a trial, any number of them may be lost (see retries.py and watchdog.py).
Before, a death is that of the installation: an import that ends the process, a library that is not
for this processor, too little memory to start.
"""

from __future__ import annotations

import time

from search.history.plurals import counted

# One may be lost by accident, as with a node that goes, and a second one with it.
MOST_DEATHS = 3
# Ray gives a worker process a minute to register, and a busy machine was seen to take two.
PATIENCE_SECONDS = 600.0
FIX = (
    "fix: python -c 'import search.optimize.trainable' there, with the same Python and PYTHONPATH, "
    "shows what ends them; then resume the search"
)


class FirstWorker:
    """Whether any worker has begun a trial.

    Args:
        patience_seconds: How long none may begin one; None: for ever, as a cluster may have no
            node yet.

    Attributes:
        why: Why the search has failed; "" while it has not.
    """

    def __init__(self, patience_seconds: float | None = None) -> None:
        self._seconds = patience_seconds
        self._since: float | None = None
        self._has_begun, self._deaths = False, 0
        self.why = ""

    def begin(self) -> None:
        """Notes that a worker has begun a trial: nothing is wrong with workers as such."""
        self._has_begun = True

    def lose(self, error: str) -> None:
        """Notes that a worker has died; `error` is Ray's text about it."""
        self._deaths += not self._has_begun
        if self._deaths >= MOST_DEATHS and not self._has_begun:
            dead = counted(self._deaths, "worker")
            self.why = (
                f"{dead} of Ray died before any had begun a trial: {_in_a_line(error)}; {FIX}"
            )

    def look(self) -> None:
        """Notes that time has passed; counted from the first call, when Tune is at work."""
        self._since = time.monotonic() if self._since is None else self._since
        waited = time.monotonic() - self._since
        if self._seconds is not None and not self._has_begun and waited > self._seconds:
            self.why = self.why or no_worker(waited)


def no_worker(seconds: float) -> str:
    """Returns why a search has failed whose workers end before Ray knows them."""
    return (
        f"no worker of Ray has begun a trial in {seconds / 60:.1f} min: their processes end as "
        f"they start; {FIX}"
    )


def _in_a_line(error: str) -> str:
    """Returns what Ray knows about a death, without its advice."""
    lines = error.strip().splitlines() or [error]
    line = next((each for each in lines if "is dead because" in each), lines[-1])
    return line.partition(" Some common causes")[0].strip().rstrip(".")

"""Which trials are started again because their worker was lost.

Tune retries a trial whose worker dies while it trains, but not one that was given an idle worker
of a node that had just been lost: that one ends in an error at its first such death. So Tune
retries nothing, and the searcher asks the same trial again, under a new id of Ray's. Which deaths
the trial itself is to blame for, its worker decides: see attempts.py.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")

# A trial on spot nodes may lose any number of workers as long as it makes progress. This ends only
# what never gets so far, such as an actor whose code no node can import.
WORKERS_FORGIVEN = 100


class LostWorkers(Generic[Waiting]):
    """The trials without a worker, and how many each has lost."""

    def __init__(self) -> None:
        self._lost: Counter[int] = Counter()
        self._waiting: deque[Waiting] = deque()

    def __bool__(self) -> bool:
        """Whether a trial waits to be started again."""
        return bool(self._waiting)

    def is_forgiven(self, number: int) -> bool:
        """Notes that trial `number` has lost a worker; False if it has lost too many."""
        self._lost[number] += 1
        return self._lost[number] <= WORKERS_FORGIVEN

    def wait(self, trial: Waiting) -> None:
        """Lets a trial wait for another worker."""
        self._waiting.append(trial)

    def take(self) -> Waiting:
        """The trial that waits longest."""
        return self._waiting.popleft()

"""Which trials are tried again: those that ran out of memory, and those whose worker was lost.

Memory is shared where trials run side by side, so the one that finds none left is not always the
one that is too large. A trial with a share of a GPU gets a whole one for its second attempt; any
other is tried again with no trial of its search next to it. Without memory then, it fails. Not for
workers that the operating system killed: see watchdog.py.

Tune retries a trial whose worker dies while it trains, but not one that was given an idle worker
of a node that had just been lost: that one ends in an error at its first such death. So Tune
retries nothing, and the searcher asks the same trial again, under a new id of Ray's. Which deaths
the trial itself is to blame for, its worker decides: see watchdog.py.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")


class OutOfMemoryRetries(Generic[Waiting]):
    """Who ran beside whom, and who waits to be tried again.

    Args:
        gpus: of each trial: a share of one, or a whole one, whose memory it shares with none.
    """

    def __init__(self, gpus: float) -> None:
        self._has_own_memory, self._shares_a_gpu = gpus >= 1, 0 < gpus < 1
        self._shared: set[str] = set()
        self._waiting: deque[Waiting] = deque()
        self._again: set[str] = set()

    def __bool__(self) -> bool:
        """Whether a trial waits to be tried again."""
        return bool(self._waiting)

    def is_closed(self, running: set[str], at_work: set[str]) -> bool:
        """Whether no trial may begin now.

        Args:
            running: all that were asked for and have not ended.
            at_work: those of them that have a worker.
        """
        if self._shares_a_gpu:  # until a GPU is free: new trials would take its shares, one by one
            return bool(self._again & running - at_work)
        return bool(running) and (bool(self._waiting) or bool(self._again & running))

    def take(self, trial_id: str) -> Waiting:
        """The trial that waits longest; it runs under this new id."""
        self._again.add(trial_id)
        return self._waiting.popleft()

    def take_back(self, trial_id: str, trial: Waiting) -> bool:
        """Lets a second attempt that has lost its worker wait again; False if it was none."""
        if trial_id not in self._again:
            return False
        self._waiting.appendleft(trial)
        return True

    def has_whole_gpu(self, trial_id: str) -> bool:
        """Whether a trial whose like have a share of a GPU is given all of it."""
        return self._shares_a_gpu and trial_id in self._again

    def note(self, running: set[str]) -> None:
        """Remembers who runs beside another."""
        if len(running) > 1:
            self._shared |= running

    def was_alone(self, trial_id: str) -> bool:
        """Whether a trial had its memory for itself all the time."""
        has_own = self._has_own_memory or self.has_whole_gpu(trial_id)
        return has_own or trial_id not in self._shared

    def wait_if_shared(self, trial_id: str, trial: Waiting) -> bool:
        """Lets a trial that ran out of memory wait for its second attempt, if it may have one."""
        if self.was_alone(trial_id):
            return False
        self._waiting.append(trial)
        return True


# A trial on spot nodes may lose any number of workers as long as it makes progress. This ends only
# what never gets so far, such as an actor whose code no node can import.
LOST_WORKERS_RETRIED = 100


class LostWorkerRetries(Generic[Waiting]):
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
        return self._lost[number] <= LOST_WORKERS_RETRIED

    def wait(self, trial: Waiting) -> None:
        """Lets a trial wait for another worker."""
        self._waiting.append(trial)

    def take(self) -> Waiting:
        """The trial that waits longest."""
        return self._waiting.popleft()

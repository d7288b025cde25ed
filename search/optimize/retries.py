"""Retries of trials that ran out of memory or whose worker was lost.

Trials that run side by side share memory, so the one that finds none left is not always the one
that is too large. A trial with a share of a GPU gets a whole one for its second attempt; any other
is retried with no trial of its search next to it. If memory runs out again, it has failed. Not for
workers that the operating system killed: see watchdog.py.

Tune retries a trial whose worker dies while it trains, but not one that was given an idle worker of
a node that had just been lost: it ends with an error at its first such death. So Tune retries
nothing, and the searcher suggests the same trial again, under a new Ray id. The worker decides
which deaths are the trial's own fault: see watchdog.py.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")

# A trial on spot nodes may lose any number of workers as long as it makes progress. This ends only
# what never gets that far, such as an actor whose code no node can import.
LOST_WORKERS_RETRIED = 100


class OutOfMemoryRetries(Generic[Waiting]):
    """Which trials ran next to others, and which are queued for a second attempt.

    Args:
        gpus: GPUs of each trial: a share of one, or whole ones, whose memory it does not share.
    """

    def __init__(self, gpus: float) -> None:
        self._has_own_memory, self._shares_a_gpu = gpus >= 1, 0 < gpus < 1
        self._shared: set[str] = set()
        self._waiting: deque[Waiting] = deque()
        self._again: set[str] = set()

    def __bool__(self) -> bool:
        """Whether a trial is queued."""
        return bool(self._waiting)

    def is_closed(self, running: set[str], with_worker: set[str]) -> bool:
        """Whether no trial may begin now.

        Args:
            running: Ids of all trials that were suggested and have not ended.
            with_worker: Those of them that have a worker.
        """
        if self._shares_a_gpu:  # until a GPU is free: new trials would take its shares, one by one
            return bool(self._again & running - with_worker)
        return bool(running) and (bool(self._waiting) or bool(self._again & running))

    def take(self, trial_id: str) -> Waiting:
        """Returns the trial that is queued longest; it runs under this new id."""
        self._again.add(trial_id)
        return self._waiting.popleft()

    def take_back(self, trial_id: str, trial: Waiting) -> bool:
        """Queues a second attempt that has lost its worker again; False if it was none."""
        if trial_id in self._again:
            self._waiting.appendleft(trial)
        return trial_id in self._again

    def has_whole_gpu(self, trial_id: str) -> bool:
        """Whether a trial gets a whole GPU where others have a share."""
        return self._shares_a_gpu and trial_id in self._again

    def note(self, running: set[str]) -> None:
        """Remembers which trials run next to another."""
        if len(running) > 1:
            self._shared |= running

    def wait_if_shared(self, trial_id: str, trial: Waiting) -> bool:
        """Queues a trial that ran out of memory; False if it had its memory for itself."""
        has_own = self._has_own_memory or self.has_whole_gpu(trial_id)
        if has_own or trial_id not in self._shared:
            return False
        self._waiting.append(trial)
        return True

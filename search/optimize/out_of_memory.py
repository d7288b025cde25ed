"""Which trials that ran out of memory are tried once more, alone.

Memory is shared where trials run side by side, so the one that finds none left is not always the
one that is too large. It is tried again with no other trial of its search beside it; without memory
then, it fails. Not for workers that the operating system killed: see attempts.py.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")


class SecondChances(Generic[Waiting]):
    """Who ran beside whom, and who waits for the search's machines to be free.

    Args:
        has_own_memory: whether each trial has a whole GPU, and so shares its memory with none.

    Attributes:
        set_aside: Ray's ids of the attempts that ran out of memory and are tried again.
    """

    def __init__(self, has_own_memory: bool) -> None:
        self._has_own_memory = has_own_memory
        self._shared: set[str] = set()
        self._waiting: deque[Waiting] = deque()
        self._again: set[str] = set()
        self.set_aside: set[str] = set()

    def __bool__(self) -> bool:
        """Whether a trial waits to be tried again."""
        return bool(self._waiting)

    def is_closed(self, running: set[str]) -> bool:
        """Whether no trial may begin now: one must be alone, or is."""
        return bool(running) and (bool(self._waiting) or bool(self._again & running))

    def take(self, trial_id: str) -> Waiting:
        """The trial that waits longest; it runs under this new id."""
        self._again.add(trial_id)
        return self._waiting.popleft()

    def note(self, running: set[str]) -> None:
        """Remembers who runs beside another."""
        if len(running) > 1:
            self._shared |= running

    def was_alone(self, trial_id: str) -> bool:
        """Whether a trial had its memory for itself all the time."""
        return self._has_own_memory or trial_id not in self._shared

    def set_aside_if_shared(self, trial_id: str, trial: Waiting) -> bool:
        """Lets a trial that ran out of memory wait for its second attempt, if it may have one."""
        if self.was_alone(trial_id):
            return False
        self.set_aside.add(trial_id)
        self._waiting.append(trial)
        return True

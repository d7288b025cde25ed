"""Garbage: how often a process of ours looks for circles of objects that nothing refers to.

The libraries of a search have 400,000 objects that live to its end. By default Python looks through
the young ones after 700 new ones, and through all when a quarter is new: 0.4 of the 2.9 s that the
imports of a search take. At the exit it does so twice, 0.9 s. Not for processes that are the user's
own, as a script or a notebook that starts searches.
"""

from __future__ import annotations

import atexit
import gc

# At about 100 bytes each, 1 MB of garbage; ten times as many are no faster.
NEW_OBJECTS = 10_000


def collect_rarely() -> None:
    """Collects after more new objects than by default, and not at the exit of this process."""
    _, *older = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *older)
    atexit.register(gc.freeze)

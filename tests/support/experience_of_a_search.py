"""What a launch would have learned before a search, for tests of what comes after it."""

from __future__ import annotations

from dataclasses import replace

from search.experience import Experience
from search.extract import learn
from search.history import History, Search
from search.review import reconcile


def learned(known: History, this: Search) -> Experience:
    """The experience from everything in history but the search itself."""
    earlier = known.only(name for name in known.searches if name != this.id)
    assert this.space is not None
    fitted = reconcile(earlier, this.space, this.objectives).lines()
    experience = learn(
        earlier, this.space, task=this.task, fingerprint=this.fingerprint,
        objectives=this.objectives,
    )  # fmt: skip
    return replace(experience, fitted=tuple(fitted), used=tuple(earlier.searches))

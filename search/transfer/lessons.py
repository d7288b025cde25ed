"""What history had taught when a search started, and how alike it turned out to be.

Its own trials and later searches are not asked, except for the comparison: how well each earlier
search predicts the order in which this one's trials came out. Not for writing, that is `report.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import yaml

from search.experience import Experience
from search.extract import agreements, learn
from search.history import History, Search
from search.review import reconcile
from search.spec import HistorySettings

# The most similar ones: a table of a hundred rows is not read.
SEARCHES_COMPARED = 20


@dataclass(frozen=True)
class Lessons:
    """What history taught.

    Attributes:
        experience: With the agreements that this search's trials showed.
        fitted: How earlier searches were fitted to this space, a line each.
    """

    experience: Experience
    fitted: tuple[str, ...]


def lessons(history: History, this: Search) -> Lessons | None:
    """The lessons of a search; None if its space is not known.

    Args:
        history: The trials of this search and of others.
        this: The search.
    """
    if this.space is None:
        return None
    earlier, own = _parts(history, this)
    experience = learn(
        earlier, this.space, task=this.task, fingerprint=this.fingerprint,
        objectives=this.objectives,
    )  # fmt: skip
    theirs, ours = (reconcile(part, this.space, this.objectives) for part in (earlier, own))
    compared = experience.searches[:SEARCHES_COMPARED]
    found = agreements(
        theirs.trials, ours.trials, this.space, this.objectives,
        {search.id: search.similarity for search in compared},
    )  # fmt: skip
    return Lessons(replace(experience, agreements=found), tuple(theirs.lines()))


def history_settings(spec_yaml: str) -> HistorySettings:
    """The part of a stored spec that says what to learn from; the defaults if there is none.

    The rest of the spec is not looked at: a report must not fail because a training function or a
    data set has moved since.
    """
    try:
        document = yaml.safe_load(spec_yaml)
        return HistorySettings.model_validate(document.get("history") or {})
    except (yaml.YAMLError, ValueError, AttributeError):
        return HistorySettings()


def _parts(history: History, this: Search) -> tuple[History, History]:
    """The searches that had started before this one, and this one alone."""
    earlier, own = history.without(this.id), history
    for other in history.searches.values():
        if other.id != this.id:
            own = own.without(other.id)
            earlier = earlier.without(other.id) if other.started > this.started else earlier
    return earlier, own

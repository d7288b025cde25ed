"""How alike the earlier searches turned out to be that a search had learned from.

What history taught was found when the search started, and is kept with it (`Experience`); here it
is held against what came of the search. Not for writing, that is `report.py`.
"""

from __future__ import annotations

import yaml

from search.experience import Agreement, Experience
from search.extract import agreements
from search.history import History, Search
from search.review import reconcile
from search.spec import HistorySettings

# The most similar ones: a table of a hundred rows is not read.
SEARCHES_COMPARED = 20


def agreements_with(
    history: History, this: Search, experience: Experience
) -> tuple[Agreement, ...]:
    """How well each earlier search predicts the order in which this one's trials came out.

    Args:
        history: The trials of this search and of others.
        this: The search.
        experience: What it had learned from; other searches are not asked.
    """
    if this.space is None:
        return ()
    compared = {each.id: each.similarity for each in experience.searches[:SEARCHES_COMPARED]}
    reconciled = reconcile(history.only(compared), this.space, this.objectives)
    own = history.prior_trials(search=this.id)
    return agreements(reconciled.trials, own, this.space, this.objectives, compared)


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

"""Objectives with one value in all trials of a search, which so says nothing about them.

That is how a search looks in which nothing was learned: a tagger that finds no entity, a classifier
that always answers the most frequent class. Not for the one model that is exported
(`trivial_model.py`, which has the data to compare it with).
"""

from __future__ import annotations

from search.extract.noise import configuration_key
from search.history import History
from search.objectives.objective import value_text

# Two configurations may well agree, on a small validation split.
FEWEST = 3


def constant_objectives(history: History, search: str) -> list[str]:
    """Return a sentence with its fix for each objective with one value in all complete trials.

    Objectives that only report, constraints, and searches with fewer than three different complete
    configurations are passed over.
    """
    complete = history.prior_trials(search=search)
    if len({configuration_key(each.configuration) for each in complete}) < FEWEST:
        return []
    sentences = []
    for objective in history.searches[search].objectives:
        values = {each.by_metric[objective.metric] for each in complete}
        if objective.role.name in ("report", "constraint") or len(values) > 1:
            continue
        sentences.append(
            f"all {len(complete)} complete trials have {objective.metric} "
            f"{value_text(values.pop())}, so it says nothing about their configurations; fix: if "
            "nothing was learned, more epochs (budget.epochs) or other ranges; if all is solved, "
            "a harder objective"
        )
    return sentences

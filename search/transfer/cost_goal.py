"""The goal that the cost of a search is forecast to: what earlier searches of its task ended with.

It is the level of the median one of them, so it asks for no luck: the best level of all of them is
in part that of a lucky training. A task that was never searched has no goal, for values of
different tasks have no common scale; its forecast is that of all trials.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.history import History
from search.objectives.roles import judging_indices
from search.transfer.best import best_trials
from search.transfer.cost_forecast import Goal
from search.transfer.past_costs import PastSearch


def median_search(searches: Sequence[PastSearch]) -> PastSearch | None:
    """The search with the median final level, of two the lower one; None if no trial counts."""
    counting = sorted(
        (each for each in searches if each.level > 0),
        key=lambda each: (each.level, each.search.started, each.search.id),
    )
    return counting[(len(counting) - 1) // 2] if counting else None


def goal_of(history: History, searches: Sequence[PastSearch]) -> Goal | None:
    """The goal of a new search of the task of these; None without one whose trials count."""
    median = median_search(searches)
    if median is None:
        return None
    this = median.search
    best = best_trials(history, this.id)
    judged = [this.objectives[index] for index in judging_indices(this.objectives)]
    values = {
        each.metric: (max if each.is_maximized else min)(
            trial.by_metric[each.metric] for trial in best
        )
        for each in judged
    }
    return Goal(this.id, values, median.level, median.reference)

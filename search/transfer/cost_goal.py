"""The goal that the cost of a search is forecast to: what earlier searches of its task ended with.

It is that of the median one of them, made worse by the noise of a training where that is known: the
best of many trials owes something to luck, and a search that finds as good a configuration again is
not to fail by that. A task that was never searched has no goal, for values of different tasks have
no common scale; its forecast is that of all trials.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.objectives import Objective
from search.objectives.roles import judging_indices
from search.transfer.cost_forecast import Goal
from search.transfer.past_costs import PastSearch


def median_search(searches: Sequence[PastSearch]) -> PastSearch | None:
    """The search with the median final level, of two the lower one; None if no trial counts."""
    counting = sorted(
        (each for each in searches if each.repeatable_level > 0),
        key=lambda each: (each.repeatable_level, each.search.started, each.search.id),
    )
    return counting[(len(counting) - 1) // 2] if counting else None


def goal_of(searches: Sequence[PastSearch], objectives: Sequence[Objective]) -> Goal | None:
    """The goal of a new search of the task of these; None without one whose trials count.

    Args:
        searches: The searches of its task.
        objectives: Its own; theirs may have other roles, or another order.
    """
    median = median_search(searches)
    if median is None:
        return None
    judged = [objectives[index] for index in judging_indices(objectives)]
    values = {
        each.metric: -loss if each.is_maximized else loss
        for each, loss in zip(judged, median.repeatable, strict=True)
    }
    return Goal(median.search.id, values, median.repeatable_level, median.reference)

"""Estimates the cost of a search from the searches before it, as they would have been estimated.

Each earlier search of a task that had been searched before is a case: what was known when it
started, and what it cost. The same rule is applied to the new search, so the interval holds as
often as the rule was right, whatever made it wrong.

- Cost of a trial: that of the task's earlier trials, times the factor by which searches changed it.
  With fewer than three cases the mean trial is taken to cost like one of the task's trials that did
  not fail, and on a new task like a trial of a similar one, in proportion to examples and epochs.
- Cost to the goal of a warm search: that of its first trial, which is known best
  (`first_trial.py`), times what searches needed in units of theirs. That of a cold search: what the
  task's cold searches needed.

Control arms are no cases: half of their search is a warm one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

from search.history import Search
from search.transfer.cost_forecast import Basis, ColdCost, CostForecast, Estimate, Goal
from search.transfer.cost_goal import goal_of, median_search
from search.transfer.cost_interval import FEWEST, next_one
from search.transfer.costs import Cost
from search.transfer.examples import stated_count
from search.transfer.first_trial import FirstTrial
from search.transfer.past_costs import PastCosts, PastSearch, mean_seconds_per_trial

NO_SEARCH = "no earlier search of this or a similar task has these objectives and known costs"
NEW_TASK = "no earlier search of this task has these objectives and known costs"
NO_VALUE = "no trial of the earlier searches of this task counts beyond noise"
VAGUE = "the earlier costs differ too much: it could be off by a factor of more than 100"
# Searches that all reach their goal at their first trial do not make the next one certain. If each
# trial reaches it with the same unknown probability (a geometric number of trials, the probability
# uniform beforehand), then after three such searches the next takes up to 4 trials in 39 of 40
# cases, after six up to 3, after ten up to 2. With this deviation the upper ends are 5.7, 2.6 and
# 2.3.
LEAST_DEVIATION_OF_TRIALS = 0.35


def estimate_cost(
    this: Search, costs: PastCosts, first: FirstTrial | None, cost: Cost
) -> CostForecast:
    """The forecast of a search.

    Args:
        this: The search; it need not be in the history.
        costs: What earlier searches cost.
        first: The cost of its first trial; None if unknown.
        cost: What one of its trials occupies.
    """
    own = costs.of_task(this.task)
    found = CostForecast(cost.unit, this.trials_budget, costs.device)
    per_trial, basis = _per_trial(this, costs, own)
    if per_trial is None or per_trial.is_vague:
        found = replace(found, unknown=VAGUE if per_trial else _too_few(costs, own))
    else:
        found = replace(found, per_trial=per_trial.times(cost.hours(1.0)), basis=basis)
    goal = goal_of(own, this.objectives)
    if goal is None:
        why = NO_VALUE if own else NEW_TASK if costs.searches else NO_SEARCH
        return replace(found, unknown_to_goal=why)
    found = replace(found, goal=goal, cold=_cold(own, goal, cost))
    seconds, why = _to_goal(this, costs, own, goal, first)
    if seconds is None or seconds.is_vague:
        return replace(found, unknown_to_goal=why or VAGUE)
    to_goal, every = seconds.times(cost.hours(1.0)), found.all_trials(this.trials_budget)
    if to_goal.high and every and every.high and to_goal.high > every.high:
        to_goal = replace(to_goal, high=None)  # its trials may be used up before
    return replace(found, to_goal=to_goal)


def _per_trial(
    this: Search, costs: PastCosts, own: Sequence[PastSearch]
) -> tuple[Estimate | None, Basis]:
    """Seconds of the mean trial, failed ones included, and what their estimate counts."""
    if not own:
        return next_one(_of_other_tasks(this, costs.searches)), "tasks"
    mean = mean_seconds_per_trial(own)
    cases = [each for each in costs.searches if each.earlier]
    alike = [each for each in cases if each.search.warm == this.warm]
    for chosen in (alike, cases):
        changes = next_one(
            [each.seconds_per_trial / mean_seconds_per_trial(each.earlier) for each in chosen]
        )
        if changes is not None:
            return changes.times(mean), "searches"
    return _of_few(own, mean), "trials"


def _of_few(own: Sequence[PastSearch], mean: float) -> Estimate | None:
    """Seconds of the mean trial, taken to cost like one that did not fail; their mean is given.

    Failed trials are paid for, so they are part of the mean; but one of 3 s among those of an hour
    is no example of what a trial costs. The lower end has their share in it, the upper end none.
    """
    trials = [trial for each in own for trial in each.trials]
    lasted = [each.seconds for each in trials if each.state != "failed" and each.seconds > 0]
    single = next_one(lasted)
    if single is None or single.high is None:
        return None
    paid = min(mean / fmean(lasted), 1.0)
    low, high = min(single.low * paid, mean), max(single.high, mean)
    return replace(single, value=mean, low=low, high=high)


def _of_other_tasks(this: Search, searches: Sequence[PastSearch]) -> list[float]:
    """Seconds of the mean trial of each other task, scaled to the size of this one."""
    by_task: dict[str, list[PastSearch]] = {}
    for each in searches:
        by_task.setdefault(each.search.task, []).append(each)
    newest = [part[-1].search for part in by_task.values()]
    sizes = _sizes([this, *newest])
    return [
        mean_seconds_per_trial(part) * sizes[0] / size
        for part, size in zip(by_task.values(), sizes[1:], strict=True)
    ]


def _sizes(searches: Sequence[Search]) -> list[float]:
    """Epochs times training examples of each, or what of it all of them state."""
    epochs = [float(each.epochs) for each in searches]
    stated = [stated_count(each.fingerprint.get("data"), "train") for each in searches]
    sizes = [1.0] * len(searches)
    for known in (epochs, [float(each or 0) for each in stated]):
        if all(each > 0 for each in known):
            sizes = [size * each for size, each in zip(sizes, known, strict=True)]
    return sizes


def _to_goal(
    this: Search,
    costs: PastCosts,
    own: Sequence[PastSearch],
    goal: Goal,
    first: FirstTrial | None,
) -> tuple[Estimate | None, str]:
    """Seconds to the goal, or why they are unknown."""
    if not this.warm:
        observed, missed = _seconds_to([(each, goal.level) for each in _colds(own)])
        found = next_one(observed, missed)
        return found, "" if found else _why_not(observed, missed, "cold")
    cases = [
        (each, before.repeatable_level)
        for each in costs.searches
        if each.search.warm and (before := median_search(each.earlier)) is not None
    ]
    observed, missed = _seconds_to(cases, in_first_trials=True)
    deviation = 0.0 if first is None else first.deviation
    factors = next_one(observed, missed, deviation, least=LEAST_DEVIATION_OF_TRIALS)
    if factors is None:
        return None, _why_not(observed, missed, "warm")
    if first is None:
        return None, "the cost of the first trial cannot be predicted"
    found = factors.times(first.seconds)
    return replace(found, low=max(found.low, first.least_seconds)), ""  # it takes a trial at least


def _seconds_to(
    cases: Sequence[tuple[PastSearch, float]], in_first_trials: bool = False
) -> tuple[list[float], list[float]]:
    """Seconds to the level of each case, and all seconds of those that never reached theirs."""
    reached: list[float] = []
    missed: list[float] = []
    for each, level in cases:
        # The first training that went to its end, as that of the new search is expected to.
        unit = next(trial.seconds for trial in each.trials if trial.state == "complete")
        unit = unit if in_first_trials else 1.0
        seconds = each.progress.seconds_to(level)
        (missed if seconds is None else reached).append((seconds or each.seconds) / unit)
    return reached, missed


def _colds(own: Sequence[PastSearch]) -> list[PastSearch]:
    return [each for each in own if not each.search.warm]


def _cold(own: Sequence[PastSearch], goal: Goal, cost: Cost) -> ColdCost | None:
    colds = _colds(own)
    if not colds:
        return None
    observed, missed = _seconds_to([(each, goal.level) for each in colds])
    middle = median([*observed, *[float("inf")] * len(missed)])
    hours = cost.hours(middle) if middle < float("inf") else None
    return ColdCost(hours, len(colds), len(observed))


def _why_not(observed: Sequence[float], missed: Sequence[float], kind: str) -> str:
    count = len(observed) + len(missed)
    if count >= FEWEST:
        return f"only {len(observed)} of {count} earlier {kind} searches reached theirs"
    what = "of a task searched before" if kind == "warm" else "of this task"
    return f"it takes {FEWEST} {kind} searches {what}, and there {_are(count)}"


def _too_few(costs: PastCosts, own: Sequence[PastSearch]) -> str:
    if own:
        return f"it takes {FEWEST} trials of this task that did not fail"
    if not costs.searches:
        return NO_SEARCH
    tasks = len({each.search.task for each in costs.searches})
    return f"{NEW_TASK}; it takes {FEWEST} similar tasks, and there {_are(tasks)}"


def _are(count: int) -> str:
    return f"are {count}" if count > 1 else "is one" if count else "is none"

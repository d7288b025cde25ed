"""First rung: from which epoch on past learning curves rank trials as their ends do.

Before it, stopping trials by their rank stops good ones. It depends on what is trained and for how
long: curves say early who loses, later who wins. So past complete trials say it, of this same task
if there are enough of them, else of similar tasks. Not for stopping trials
(`search/optimize/scheduler.py`).

How closely they must agree follows from what a rung does. It keeps the best 1/r, and stops the
later winner if more than that are ahead of it. Of all pairs with it a share is in the wrong order;
this is the expected share ahead of it. It may be half of 1/r, which is a Kendall's tau of at least
1 - 1/r. The same holds for the better half alone, where competition is: of these 2/r go on, so half
of that may be ahead, a tau of at least 1 - 2/r.

Trials that were stopped early have no end, so searches with early stopping show only the trials
that survived it. These are more alike than all, which makes the rung later, not earlier.

Sources: Kendall 1938, "A new measure of rank correlation"; Domhan, Springenberg, Hutter 2015,
"Speeding up automatic hyperparameter optimization of deep neural networks by extrapolation of
learning curves" (past curves tell when a trial may be ended).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from search.extract.task_similarity import RELEVANT
from search.history import Trial
from search.history.plurals import counted
from search.objectives import Objective, pareto

Floats = NDArray[np.float64]

# With 20 curves a tau of unrelated orders varies by 0.16, in the better half by 0.25.
FEWEST_CURVES = 20


@dataclass(frozen=True)
class FirstRung:
    """The earliest epoch from which on past curves rank as their ends do.

    Attributes:
        epochs: The epoch, counted in the new search's; equal to its epochs if there is none before.
        of: The epochs of the new search.
        curves: How many past trials say so.
        tasks: Of how many tasks they are.
        is_same_task: Whether they are of this same task.
        agreement: Kendall's tau at that epoch, the mean over tasks; of the objective with the least
            one. NaN if there is no such epoch.
        agreement_of_better: The same among the better half by their ends.
    """

    epochs: int
    of: int
    curves: int
    tasks: int
    is_same_task: bool
    agreement: float
    agreement_of_better: float

    def in_words(self) -> str:
        """Write it in a sentence, with what it rests on."""
        where = "this same task" if self.is_same_task else counted(self.tasks, "similar task")
        past = f"{counted(self.curves, 'past curve')} of {where}"
        if self.epochs >= self.of:
            why = f"{past} do not rank as their ends do before the last epoch"
            return f"no trial is stopped for its rank: {why}"
        return (
            f"the first rung is at epoch {self.epochs} of {self.of}: from there on {past} rank as "
            f"their ends do (Kendall's tau {self.agreement:.2f}, among the better half "
            f"{self.agreement_of_better:.2f})"
        )


def first_rung(
    trials: Sequence[Trial],
    compared: Mapping[Objective, str],
    *,
    task: str,
    similarities: Mapping[str, float],
    epochs: int,
    reduction_factor: float,
) -> FirstRung | None:
    """Returns the first rung by past curves; None if too few are known.

    Args:
        trials: Past trials in terms of the new search, any state.
        compared: Objective that the scheduler compares -> the metric that stands for it before the
            end. With several each has to agree, so the latest decides.
        task: The new search's task.
        similarities: Earlier search -> similarity of its task, 0 to 1; searches below `RELEVANT`
            and others do not count.
        epochs: Of a full trial of the new search.
        reduction_factor: At a rung the best 1/reduction_factor continue.
    """
    groups = _groups(trials, compared, task, similarities)
    if not groups or not compared or epochs < 2:
        return None
    taus = np.array([_agreements(group, compared, epochs) for group in groups]).mean(axis=0)
    enough = np.array([1.0 - 1.0 / reduction_factor, 1.0 - 2.0 / reduction_factor])
    agrees = (taus >= enough).all(axis=(1, 2))
    # From there on: curves that cross later do not agree yet.
    first = next((e for e in range(1, epochs) if agrees[e - 1 :].all()), epochs)
    at = taus[first - 1].min(axis=0) if first < epochs else np.full(2, math.nan)
    return FirstRung(
        first, epochs, sum(map(len, groups)), len({group[0].task for group in groups}),
        all(trial.task == task for group in groups for trial in group), float(at[0]), float(at[1]),
    )  # fmt: skip


def _groups(
    trials: Sequence[Trial],
    compared: Mapping[Objective, str],
    task: str,
    similarities: Mapping[str, float],
) -> list[list[Trial]]:
    """Returns trials whose curves are comparable, a list a task; of this same task if it has any.

    Comparable are trials of a task that were trained for equally long; where values count by rank,
    of one search.
    """
    groups: dict[tuple[str, str, int], list[Trial]] = {}
    longest: dict[str, int] = {}
    for trial in trials:
        longest[trial.search] = max(longest.get(trial.search, 0), trial.epoch)
    for trial in trials:
        is_alike = trial.task == task or similarities.get(trial.search, 0.0) >= RELEVANT
        if trial.state == "complete" and is_alike and _has_curves(trial, compared):
            search = trial.search if trial.is_by_rank else ""
            groups.setdefault((trial.task, search, longest[trial.search]), []).append(trial)
    enough = [
        group
        for (_, _, length), group in groups.items()
        if length > 1 and len(group) >= FEWEST_CURVES
    ]
    same = [group for group in enough if group[0].task == task and not group[0].is_by_rank]
    return same or enough


def _has_curves(trial: Trial, compared: Mapping[Objective, str]) -> bool:
    # Another metric's curve keeps its own sign where an objective was turned.
    is_plain = not trial.is_by_rank or all(each.metric == name for each, name in compared.items())
    return is_plain and all(
        trial.curves.get(name) and math.isfinite(trial.value_of(each.metric))
        for each, name in compared.items()
    )


def _agreements(group: Sequence[Trial], compared: Mapping[Objective, str], epochs: int) -> Floats:
    """Returns Kendall's tau with the ends at epochs 1 to `epochs` - 1, of all and the better half.

    Returns:
        Shape `(epochs - 1, objectives, 2)`; 0 where values are missing or all equal.
    """
    length = max(trial.epoch for trial in group)
    taus = np.zeros((epochs - 1, len(compared), 2))
    for column, (objective, metric) in enumerate(compared.items()):
        ends = pareto.losses([[each.value_of(objective.metric)] for each in group], [objective])
        order = np.argsort(ends[:, 0], kind="stable")
        for epoch in range(1, epochs):
            # A past trial of another length is as far at the same share of its epochs.
            seen = [_seen(trial.curves[metric], epoch * length // epochs) for trial in group]
            losses = pareto.losses([[value] for value in seen], [objective])[:, 0]
            for place, rows in enumerate((order, order[: len(order) // 2])):
                taus[epoch - 1, column, place] = _tau(losses[rows], ends[rows, 0])
    return taus


def _seen(curve: Mapping[int, float], epoch: int) -> float:
    """Returns the last value up to an epoch; NaN if there is none."""
    reached = [each for each in curve if each <= epoch]
    return float(curve[max(reached)]) if reached else math.nan


def _tau(first: Floats, second: Floats) -> float:
    if np.isnan(first).any():
        return 0.0
    return float(np.nan_to_num(kendalltau(first, second).statistic))

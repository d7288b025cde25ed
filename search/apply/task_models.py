"""Past tasks: what each earlier task says of a configuration, by a model of its own.

One Gaussian process a task and objective, on normal scores, so tasks of any unit count alike.
Their predictions are what the portfolio and the history model learn from. Not for weighing tasks
against the present one (`transfer_model.py`, `guard.py`).

What is kept of a long history: `TASKS_KEPT` tasks, the most similar first where their fingerprints
tell, then the newest; of each task `TRIALS_KEPT` trials, its best third and the rest evenly over
time. A suggestion's cost grows with both.

Source: Wistuba, Schilling, Schmidt-Thieme 2018, "Scalable Gaussian process-based transfer
surrogates for hyperparameter optimization" (one process a task instead of one for all).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from search.apply.candidate_grid import CandidateGrid
from search.apply.gaussian_process import Process
from search.apply.gp_fit import fit, usual_prior
from search.apply.objective_model import CONSTRAINT, unfolded
from search.apply.scores import ceilings_of, losses_of, normal_scores
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace
from search.space.encoding import encode

Floats = NDArray[np.float64]

TASKS_KEPT = 32
TRIALS_KEPT = 100
# A task whose results are not foreseen from each other is noise. Its leave-one-out rank correlation
# must exceed this over the root of its trials. Without fitted parameters 2.3 would hold off 99 of
# 100 shuffled tasks; with them it takes 4.2 (HPOBench, 96 tasks of 50 and 100 trials; the true ones
# reached 4.8 at least, mostly 6 and more).
FORESEEN = 4.2
# Fewer trials cannot show that a task is noise: fitted parameters foresee shuffled ones as well.
# The task has the benefit of the doubt, which the guard takes away once this search has results.
FEWEST_TO_DOUBT = 40


@dataclass(frozen=True)
class TaskModel:
    """One earlier task and its models.

    Attributes:
        name: The task's id.
        trials: What was kept of it, complete trials only.
        points: Their encoding, `(n, columns)`.
        losses: Shape `(n, columns)`: the objectives, and behind them the constraints if roles make
            any. Each is modelled.
        judged: Shape `(n, objectives)`: the objectives alone, those that violate constraints last.
        scores: Normal scores of the losses.
        ceilings: For each constraint the largest score that keeps it.
        columns: The encoded columns whose hyperparameters it knows. In the others nothing was
            measured, so there its model sees no difference.
        processes: One a column of the losses.
        is_foreseen: For each of them whether its results can be foreseen from each other.
    """

    name: str
    trials: tuple[Trial, ...]
    points: Floats
    losses: Floats
    judged: Floats
    scores: Floats
    ceilings: Floats
    columns: NDArray[np.intp]
    processes: tuple[Process, ...]
    is_predictable: tuple[bool, ...]

    def predict(self, points: Floats) -> Floats:
        """Predicted scores, `(candidates, columns)`; 0 is the task's average, small is good."""
        known = points[:, self.columns]
        return np.column_stack([process.mean(known) for process in self.processes])


def task_models(
    evidence: Sequence[Trial],
    space: SearchSpace,
    objectives: Sequence[Objective],
    similarities: Mapping[str, float],
) -> tuple[list[TaskModel], dict[str, str]]:
    """The tasks that teach something, and task -> why it does not for the others.

    Args:
        evidence: Trials of other tasks, oldest first.
        space: The target's.
        objectives: The target's.
        similarities: Task -> 0 to 1, as far as known.
    """
    by_task: dict[str, list[Trial]] = {}
    for trial in evidence:
        if trial.state == "complete":
            by_task.setdefault(_comparable(trial), []).append(trial)
    newest_first = list(reversed(by_task))
    order = sorted(newest_first, key=lambda task: -similarities.get(by_task[task][0].task, 0.0))
    left_out = {
        task: f"{TASKS_KEPT} tasks that are more similar or newer are enough"
        for task in order[TASKS_KEPT:]
    }
    groups = CandidateGrid(space).groups
    found = []
    for task in order[:TASKS_KEPT]:
        past = _modelled(task, by_task[task], space, objectives, groups)
        if any(past.is_predictable):
            found.append(past)
        else:
            left_out[task] = "its results cannot be foreseen from each other: they look like noise"
    return found, left_out


def _comparable(trial: Trial) -> str:
    """Trials of one task are ranked together, unless their values mean something of their own."""
    return f"{trial.task} ({trial.search})" if trial.is_by_rank else trial.task


def _modelled(
    name: str,
    trials: Sequence[Trial],
    space: SearchSpace,
    objectives: Sequence[Objective],
    groups: NDArray[np.int64],
) -> TaskModel:
    kept = most_telling(trials, objectives)
    points = encode(space, [trial.configuration for trial in kept])
    judged = losses_of(kept, objectives)
    constraints = len(kept[0].constraints)
    losses = losses_of(unfolded(kept), [*objectives, *[CONSTRAINT] * constraints])
    scores = normal_scores(losses)
    ceilings = ceilings_of(losses, scores, len(objectives))
    names = list(space.distributions)
    is_known = np.array([any(n in t.configuration for t in kept) for n in names])
    columns = np.flatnonzero(is_known[groups])
    own_groups = np.unique(groups[columns], return_inverse=True)[1]
    prior = usual_prior(int(own_groups.max(initial=-1)) + 1)
    processes = tuple(fit(points[:, columns], column, own_groups, prior) for column in scores.T)
    is_predictable = tuple(
        _is_predictable(process, column)
        for process, column in zip(processes, scores.T, strict=True)
    )
    return TaskModel(
        name,
        tuple(kept),
        points,
        losses,
        judged,
        scores,
        ceilings,
        columns,
        processes,
        is_predictable,
    )


def most_telling(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """At most `TRIALS_KEPT` of a task's complete trials, in their order: see the module."""
    if len(trials) <= TRIALS_KEPT:
        return list(trials)
    # By mean rank, not by fronts: finding the fronts of thousands of trials takes minutes.
    losses = losses_of(trials, objectives)
    order = np.argsort(normal_scores(losses).mean(axis=1), kind="stable")
    best = order[: TRIALS_KEPT // 3]
    rest = np.setdiff1d(np.arange(len(trials)), best)
    spread = rest[np.linspace(0, len(rest) - 1, TRIALS_KEPT - len(best)).round().astype(int)]
    return [trials[index] for index in sorted({*best.tolist(), *spread.tolist()})]


def _is_predictable(process: Process, scores: Floats) -> bool:
    if np.ptp(scores) == 0:
        return False
    if len(scores) < FEWEST_TO_DOUBT:
        return True
    predicted = process.left_out_means()
    if np.ptp(predicted) == 0:
        return False
    return bool(spearmanr(predicted, scores).statistic > FORESEEN / np.sqrt(len(scores)))

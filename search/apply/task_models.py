"""Past tasks: predict each earlier task's results for a configuration, by a model of its own.

There is one Gaussian process for each task and objective, on normal scores, so that tasks of any
unit count alike. The portfolio and the transfer model use their predictions. Not for weighing tasks
against the present one (`transfer_model.py`, `guard.py`).

Of a long history `TASKS_KEPT` tasks are kept, the most similar first where their fingerprints are
known, then the newest; of each task `TRIALS_KEPT` trials, its best third and the rest evenly over
time. The cost of a proposal grows with both.

Source: Wistuba, Schilling, Schmidt-Thieme 2018, "Scalable Gaussian process-based transfer
surrogates for hyperparameter optimization" (one process a task instead of one for all).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from search.apply.candidate_grid import CandidateGrid
from search.apply.gaussian_process import Floats, Process
from search.apply.gp_fit import fit, usual_prior
from search.apply.objective_model import CONSTRAINT, unfolded
from search.apply.scores import ceilings_of, losses_of, normal_scores
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace
from search.space.encoding import encode

TASKS_KEPT = 32
TRIALS_KEPT = 100
# A task whose results do not predict each other is noise: its leave-one-out rank correlation must
# exceed this over the root of its number of trials. For fixed parameters 2.3 would reject 99 of 100
# shuffled tasks; fitted ones need 4.2 (HPOBench, 96 tasks of 50 and 100 trials; the true ones
# reached at least 4.8, mostly 6 and more).
LEAST_CORRELATION = 4.2
# With fewer trials fitted parameters predict shuffled results as well, so no task is rejected. The
# guard drops it once this search has results.
FEWEST_TO_DOUBT = 40


@dataclass(frozen=True)
class TaskModel:
    """One earlier task and its models.

    Attributes:
        name: The task's id.
        trials: The trials that were kept, complete ones only.
        points: Their encoding, `(n, columns)`.
        losses: What is modelled, `(n, k)`: the objectives, then the constraints if roles make any.
        objective_losses: The objectives alone, `(n, objectives)`; infeasible trials are last.
        scores: Normal scores of the losses.
        ceilings: The largest feasible score of each constraint.
        columns: The encoded columns of the hyperparameters that it has. In the others nothing was
            measured, so its predictions do not depend on them.
        processes: One for each column of the losses.
        is_predictable: For each of them whether its results predict each other.
    """

    name: str
    trials: tuple[Trial, ...]
    points: Floats
    losses: Floats
    objective_losses: Floats
    scores: Floats
    ceilings: Floats
    columns: NDArray[np.intp]
    processes: tuple[Process, ...]
    is_predictable: tuple[bool, ...]

    def predict(self, points: Floats) -> Floats:
        """Returns predicted scores, `(points, k)`; 0 is the task's average, small is good."""
        known = points[:, self.columns]
        return np.column_stack([process.mean(known) for process in self.processes])


@dataclass(frozen=True)
class PastTasks:
    """The other tasks of a history.

    Attributes:
        models: The usable ones, the most similar first, then the newest.
        noisy: Those whose results do not predict each other, in the same order. Their models say
            nothing, but their best trials may be good here as well.
        left_out: Task -> why it is not among the models.
    """

    models: tuple[TaskModel, ...] = ()
    noisy: tuple[TaskModel, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def task_models(
    trials: Sequence[Trial],
    space: SearchSpace,
    objectives: Sequence[Objective],
    similarities: Mapping[str, float],
) -> PastTasks:
    """Models other tasks, one by one.

    Args:
        trials: Trials of other tasks, oldest first.
        space: The target space.
        objectives: The target objectives.
        similarities: Task -> 0 to 1, as far as known.
    """
    by_task: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.state == "complete":
            # Values that count by rank are ranked within their own search.
            key = f"{trial.task} ({trial.search})" if trial.is_by_rank else trial.task
            by_task.setdefault(key, []).append(trial)
    newest_first = list(reversed(by_task))
    order = sorted(newest_first, key=lambda task: -similarities.get(by_task[task][0].task, 0.0))
    left_out = {
        task: f"{TASKS_KEPT} tasks that are more similar or newer are enough"
        for task in order[TASKS_KEPT:]
    }
    groups = CandidateGrid(space).groups
    found: dict[bool, list[TaskModel]] = {True: [], False: []}
    for task in order[:TASKS_KEPT]:
        past = _modelled(task, by_task[task], space, objectives, groups)
        found[any(past.is_predictable)].append(past)
    for past in found[False]:
        left_out[past.name] = "its results do not predict each other: they look like noise"
    # Where all results are equal none is the best.
    noisy = [past for past in found[False] if np.ptp(past.objective_losses, axis=0).any()]
    return PastTasks(tuple(found[True]), tuple(noisy), left_out)


def _modelled(
    name: str,
    trials: Sequence[Trial],
    space: SearchSpace,
    objectives: Sequence[Objective],
    groups: NDArray[np.int64],
) -> TaskModel:
    kept = most_informative(trials, objectives)
    points = encode(space, [trial.configuration for trial in kept])
    constraints = [CONSTRAINT] * len(kept[0].constraints)
    losses = losses_of(unfolded(kept), [*objectives, *constraints])
    scores = normal_scores(losses)
    is_known = np.array([any(n in t.configuration for t in kept) for n in space.distributions])
    columns = np.flatnonzero(is_known[groups])
    own_groups = np.unique(groups[columns], return_inverse=True)[1]
    prior = usual_prior(int(own_groups.max(initial=-1)) + 1)
    processes = tuple(fit(points[:, columns], column, own_groups, prior) for column in scores.T)
    return TaskModel(
        name, tuple(kept), points, losses, losses_of(kept, objectives), scores,
        ceilings_of(losses, scores, len(objectives)), columns, processes,
        tuple(map(_is_predictable, processes, scores.T)),
    )  # fmt: skip


def most_informative(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Returns at most `TRIALS_KEPT` of a task's complete trials, in order; see the module."""
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
    return bool(spearmanr(predicted, scores).statistic > LEAST_CORRELATION / np.sqrt(len(scores)))

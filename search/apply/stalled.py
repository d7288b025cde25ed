"""Turns: who proposes: the model, the bests of earlier tasks, or the model without other tasks.

A model of past tasks is smooth. Where tasks agree at their peaks and not between them, it predicts
the peaks away, and a search that trusts it proposes around its own best for ever. On TaskSet 15 of
72 searches were stuck so, with history, without it, and with random draws alike (.79, .79, .80 of a
cold search), although in 23 of the 23 that needed the model at all the best configuration of one of
the past tasks was good enough. So the best configuration of each past task has its turn, once,
unless the task contradicts the results here; also those of tasks whose results do not predict each
other. Bests follow one another while they turn out well and wait ever longer while they do not, so
misleading history costs four of the first thirty trials. After `PATIENCE` trials without an
improvement the model without other tasks has turns, too, for past tasks may agree in bulk and
differ at the top.

TaskSet (`python -m benchmarks.curves --first 100 --sequences 72`): .105 of a cold search, median
.037; .163 and .063 where a turn of the bests followed each of the model's, tasks that cannot be
predicted had none and the portfolio was not of fronts first. HPOBench (results/LOG.md, no command),
10th to 20th search, in seconds: .238, and .274 where tasks that were searched before had no turns.

Whose turn it is depends on the trials alone, so a resumed search goes on as an uninterrupted one,
and trials that run at once come from different sources.

Sources: Wistuba, Schilling, Schmidt-Thieme 2015, "Sequential model-free hyperparameter tuning" (the
best configurations of past tasks as proposals of their own); Hoffman, Brochu, de Freitas 2011,
"Portfolio allocation for Bayesian optimization" (several ways to propose in one search).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from search.apply.candidate_grid import CandidateGrid
from search.apply.candidates import BEST_OF_A_TASK
from search.apply.failure_risk import FailureMemory, with_risk
from search.apply.gaussian_process import Floats
from search.apply.own_data import ObservedData, observed_data
from search.apply.proposal_source import Context, Proposal, Source, origin
from search.apply.task_models import TaskModel
from search.history import Trial
from search.objectives import pareto
from search.space import Value
from search.space.encoding import encode

# An earlier best is not proposed next to a configuration of this search: within a tenth of the
# range in every hyperparameter the result is nearly the same.
NEAR = 0.1
# A task whose predictions are ordered against the results here contradicts them if that is chance
# less often than so. Where every negative order counted, tasks of TaskSet were lost that agree at
# the top alone: .21 of a cold search instead of .19.
CHANCE = 0.25
CONTRADICTS = -2.0  # less than any Kendall's tau
# Trials without an improvement after which the model without history has its turns, too.
PATIENCE = 6


class Turns:
    """A source: earlier bests while they turn out well, the model, and one without other tasks."""

    def __init__(
        self, model: Source, bests: EarlierBests, alone: Source, grid: CandidateGrid
    ) -> None:
        self._model, self._bests, self._alone, self._grid = model, bests, alone, grid

    def propose(self, context: Context) -> Proposal | None:
        """Returns a proposal of the source whose turn it is; the model's if that has none."""
        data = observed_data(context, (), self._grid.space)
        if not data.is_measured.any():
            return self._model.propose(context)
        waited = stalled_for(context, data)
        sources: list[tuple[str, Source]] = []
        if self._bests.have_turn(context, data):
            why = "the best of each earlier task takes turns with the model"
            sources.append((why, self._bests))
        if waited >= PATIENCE and context.number % 4 == 1:
            why = f"{waited} trials brought no improvement, so other tasks have no say"
            sources.append((why, self._alone))
        for reason, source in [*sources, ("", self._model)]:
            proposal = source.propose(context)
            if proposal is not None:
                made = dict(proposal.origin) | ({"reason": reason} if reason else {})
                return replace(proposal, origin=made)
        return None


def stalled_for(context: Context, data: ObservedData) -> int:
    """Returns how many trials were started after the last one that improved on all before it.

    With several objectives that is one which no earlier trial dominates or equals.
    """
    ended = _ended(context)
    complete = [row for row, trial in enumerate(ended) if trial.state == "complete"]
    losses = data.objective_losses[complete]
    improving = [
        ended[complete[row]].number
        for row, loss in enumerate(losses)
        if not (losses[:row] <= loss).all(axis=1).any()
    ]
    last = max(improving, default=-1)
    return sum(trial.number > last for trial in context.trials)


def _ended(context: Context) -> list[Trial]:
    """Returns this search's trials that have a row in its data, in the order of the rows."""
    return [
        trial
        for trial in context.trials
        if trial.state in ("complete", "stopped") and trial.configuration
    ]


class EarlierBests:
    """A source: the best configuration of each past task, one for each objective, each once.

    Those of tasks that agree most with the results here come first; those of tasks that contradict
    them are not tried.
    """

    def __init__(
        self,
        tasks: Sequence[TaskModel],
        grid: CandidateGrid,
        failures: FailureMemory | None = None,
    ) -> None:
        self._tasks, self._grid, self._failures = tasks, grid, failures
        self._keys: set[str] = set()

    @cached_property
    def _orders(self) -> list[NDArray[np.int64]]:
        """The trials of each past task, best first."""
        return [pareto.order(task.objective_losses) for task in self._tasks]

    def holds(self, configuration: Mapping[str, Value]) -> bool:
        """Whether a configuration is one of the better ones of a past task."""
        if not self._keys:
            self._keys = {
                self._grid.space.key(self._restated(task.trials[index]))
                for task, order in zip(self._tasks, self._orders, strict=True)
                for index in order[:BEST_OF_A_TASK]
            }
        return self._grid.space.key(configuration) in self._keys

    def have_turn(self, context: Context, data: ObservedData) -> bool:
        """Whether one of them is to be tried now, by how those before it turned out.

        They go on while each is in the better half of all results up to its own. After n in a row
        that are not, or that still run or failed, at least 2^n - 1 other trials come first.
        """
        rows = {trial.number: row for row, trial in enumerate(_ended(context))}
        worse, others = 0, 0
        for trial in reversed(context.trials):
            if not self.holds(trial.configuration):
                others += worse == 0
                continue
            row = rows.get(trial.number)  # None: it runs, or it failed
            if row is not None:
                order = pareto.order(data.objective_losses[: row + 1])
                if row in order[: (row + 2) // 2]:
                    break
            worse += 1
        return others + 1 >= 1 << worse

    def _restated(self, trial: Trial) -> dict[str, Value]:
        configuration = dict(trial.configuration)
        if self._grid.space.contains(configuration):
            return configuration
        return self._grid.configuration(self._grid.of(configuration))

    def propose(self, context: Context) -> Proposal | None:
        """Returns the next one, not near a trial of this search and not very probable to fail."""
        space = self._grid.space
        risk = None if self._failures is None else self._failures.at(context)
        data = observed_data(context, (), space)
        asked = encode(space, [t.configuration for t in context.trials if t.configuration])
        agreement = _agreements(self._tasks, data)
        for place in range(len(context.objectives)):
            for index in np.argsort(-agreement, kind="stable"):
                task, order = self._tasks[index], self._orders[index]
                if place >= len(order) or agreement[index] == CONTRADICTS:
                    continue
                trial = task.trials[order[place]]
                configuration = self._restated(trial)
                point = encode(space, [configuration])
                is_near = (np.abs(asked - point) <= NEAR).all(axis=1).any()
                if is_near or context.tried.holds(space, configuration):
                    continue
                if risk is not None and risk.is_too_high(configuration):
                    continue
                made = origin(
                    "earlier-best", runs=[trial.run_id], tasks={task.name: 1.0},
                    sampler="transfer", prior_trials=len(task.trials),
                )  # fmt: skip
                return with_risk(Proposal(configuration, made), risk)
        return None


def _agreements(tasks: Sequence[TaskModel], data: ObservedData) -> Floats:
    """Returns Kendall's tau of each task's predictions and the results here; 0 where it is unknown.

    Where an objective is below 0, and not by chance, it is `CONTRADICTS`.
    """
    count = data.objective_losses.shape[1]
    if len(data.losses) < 2:
        return np.zeros(len(tasks))
    predicted = np.stack([task.predict(data.points)[:, :count] for task in tasks], axis=1)
    found = kendalltau(predicted, data.objective_losses[:, None], axis=0)
    contradicts = ((found.statistic < 0) & (found.pvalue < CHANCE)).any(axis=1)
    return np.where(contradicts, CONTRADICTS, np.nan_to_num(found.statistic).mean(axis=1))

"""HistoryModel: proposes where a model of this task expects most, leaning on history as it fits.

The model is a Gaussian process an objective, on this search's trials and on prior trials of the
very same task, which count as they are. It leans on what past tasks predict (`leaning.py`) as far
as the guard lets it (`guard.py`); without history it is an ordinary one. It keeps no state: a
proposal depends on the situation alone.

Sources: those of `leaning.py`, `guard.py`, `acquisition.py` and `candidates.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search import pareto
from search.apply.acquisition import Predicted, promise
from search.apply.candidates import CENTRES, Candidates
from search.apply.constraints import beside_each_other, unfolded
from search.apply.gaussian_process import Floats, Prior, Process, assemble, fit, usual_prior
from search.apply.guard import Judgement, judge, record
from search.apply.leaning import blocks, learned_prior, weights
from search.apply.past_tasks import PastTask
from search.apply.positions import Positions
from search.apply.scores import ceilings_of, losses_of, normal_scores, warped_scores
from search.apply.source import OwnTrial, Proposal, Situation, origin, seed_of
from search.encoding import encode
from search.review import Evidence
from search.space import Value

# Fewest results from which a model speaks: with history three, since it knows what to expect; cold
# the six trials of the opening (`opening.py`), so many started and three ended.
FEWEST_WARM = 3
FEWEST_COLD = 6
# Parameters are fitted anew at every result up to here, later when results have grown by a tenth.
# Beyond the last they are settled, and a fit costs more than it brings.
FITTED_ALWAYS = 20
GROWTH = 1.1
FITTED_AT_MOST = 120
# How many of the best candidates are looked at for one that was not tried: late on a coarse grid
# hundreds around the best were. With 100, one trial in ten was left to chance.
LOOKED_AT = 1000
# The record of a proposal names so many past runs: of the weightiest tasks the nearest good ones.
RUNS_NAMED = 3


@dataclass(frozen=True)
class Seen:
    """What was measured on this task, one row a trial.

    Attributes:
        points: Encoded configurations.
        losses: What is modelled: the objectives, and where roles say so constraints behind them.
        judged: The objectives alone, those that violate constraints last.
        own: How many of the rows are this search's own, at the end.
    """

    configurations: Sequence[Mapping[str, Value]]
    points: Floats
    losses: Floats
    judged: Floats
    own: int


class HistoryModel:
    """A source: the model's best candidate; None while too little was seen."""

    def __init__(
        self,
        tasks: Sequence[PastTask],
        left_out: Mapping[str, str],
        positions: Positions,
        same_task: Sequence[Evidence],
        seed: int,
    ) -> None:
        """Makes a source; it learns how past tasks lean on each other at its first proposal.

        Args:
            tasks: Past tasks with their models.
            left_out: Task -> why it is none of them.
            positions: Of the target space.
            same_task: Prior trials of this very task with comparable values.
            seed: For candidates.
        """
        self._tasks, self._left_out, self._positions = tasks, left_out, positions
        self._same_task = [trial for trial in same_task if trial.state in ("complete", "stopped")]
        self._seed = seed
        self._candidates: Candidates | None = None
        self._priors: dict[int, Prior] = {}
        self._judged: tuple[bytes, tuple[Judgement, ...]] = (b"", ())

    def propose(self, situation: Situation) -> Proposal | None:
        """The candidate with the highest acquisition value that was not tried."""
        seen = self._seen(situation)
        started = len(situation.trials) + len(seen.losses) - seen.own
        if len(seen.losses) < FEWEST_WARM or (not self._tasks and started < FEWEST_COLD):
            return None
        if self._candidates is None:
            self._candidates = Candidates(
                self._positions,
                self._tasks,
                seen.losses.shape[1],
                seed_of(self._seed, "candidates"),
            )
        opinions = self._candidates.opinions(seen.points)
        judgements = self._judgements(seen, opinions)
        if started < FEWEST_COLD and not any(each.members for each in judgements):
            return None
        scores = warped_scores(seen.losses)
        models = [
            self._assembled(judgement, seen.points, scores[:, index], opinions[..., index])
            for index, judgement in enumerate(judgements)
        ]
        generator = np.random.default_rng(seed_of(self._seed, situation.number, "model"))
        best = [seen.configurations[row] for row in pareto.order(seen.judged)[:CENTRES]]
        places, points, expected = self._candidates.around(best, generator)
        predicted = self._predicted(situation, judgements, models, seen, points, expected, scores)
        values = promise(predicted, generator)
        for row in np.argsort(-values, kind="stable")[:LOOKED_AT]:
            configuration = self._positions.configuration(places[row])
            if not situation.tried.holds(situation.space, configuration):
                made = self._origin(seen, judgements, models, points[row])
                return Proposal(configuration, made)
        return None

    def _seen(self, situation: Situation) -> Seen:
        own = [trial for trial in situation.trials if trial.state in ("complete", "stopped")]
        own = [trial for trial in own if trial.configuration]
        rows: list[Evidence | OwnTrial] = [*self._same_task, *own]
        rows = beside_each_other(rows, situation.steering)
        configurations = [row.configuration for row in rows]
        points = encode(self._positions.space, configurations)
        judged = losses = losses_of(rows, situation.directions)
        if situation.steering is not None:
            directions = situation.steering.modelled_directions
            losses = losses_of(unfolded(rows), directions)
        return Seen(configurations, points, losses, judged, len(own))

    def _judgements(self, seen: Seen, opinions: Floats) -> tuple[Judgement, ...]:
        """The guard's judgements on the first so many results, one an objective."""
        count = _milestone(len(seen.losses))
        key = seen.points[:count].tobytes() + seen.losses[:count].tobytes()
        if self._judged[0] != key:
            scores = warped_scores(seen.losses[:count])
            judged = tuple(
                self._judged_objective(seen.points[:count], scores, opinions[:count], objective)
                for objective in range(scores.shape[1])
            )
            self._judged = (key, judged)
        return self._judged[1]

    def _judged_objective(
        self, points: Floats, scores: Floats, opinions: Floats, objective: int
    ) -> Judgement:
        groups, column = self._positions.groups, scores[:, objective]
        alone = fit(points, column, groups, usual_prior(len(self._positions.space.distributions)))
        foreseen = [i for i, task in enumerate(self._tasks) if task.is_foreseen[objective]]
        views = opinions[:, foreseen, objective] if foreseen else np.empty((len(points), 0))

        def leaning(members: Sequence[int]) -> Process:
            prior = self._prior(objective, foreseen)
            if len(members) == 1 < len(foreseen):
                prior = Prior(prior.means[:-1], prior.spreads[:-1])
            return fit(points, column, groups, prior, blocks(views[:, list(members)]))

        judged = judge(column, views, alone, leaning)
        agreement = np.full(len(self._tasks), np.nan)
        agreement[foreseen] = judged.agreement
        members = tuple(foreseen[member] for member in judged.members)
        return Judgement(members, judged.parameters, judged.log_evidence, tuple(agreement))

    def _prior(self, objective: int, foreseen: Sequence[int]) -> Prior:
        if objective not in self._priors:
            tasks = [self._tasks[index] for index in foreseen]
            self._priors[objective] = learned_prior(tasks, self._positions.groups, objective)
        return self._priors[objective]

    def _assembled(
        self, judgement: Judgement, points: Floats, scores: Floats, opinions: Floats
    ) -> Process:
        return assemble(
            points, scores, self._positions.groups, _blocks(judgement, opinions),
            judgement.parameters, float(scores.mean()),
        )  # fmt: skip

    def _predicted(
        self,
        situation: Situation,
        judgements: Sequence[Judgement],
        models: Sequence[Process],
        seen: Seen,
        points: Floats,
        opinions: Floats,
        scores: Floats,
    ) -> Predicted:
        running = [
            trial.configuration
            for trial in situation.trials
            if trial.state == "running" and trial.configuration
        ]
        under_way = encode(self._positions.space, running)
        assert self._candidates is not None
        theirs = self._candidates.opinions(under_way)
        means, variances, known = [], [], []
        for index, (judgement, model) in enumerate(zip(judgements, models, strict=True)):
            held = _blocks(judgement, theirs[..., index])
            believed = model.mean(under_way, held)
            known.append(np.r_[model.mean(seen.points, model.blocks), believed])
            believing = model.believing(under_way, held)
            mean, variance = believing.predict(points, _blocks(judgement, opinions[..., index]))
            means.append(mean)
            variances.append(variance)
        first = len(situation.directions)  # of the constraints
        ceilings, expected = ceilings_of(seen.losses, scores, first), np.column_stack(known)
        keeps = (seen.losses[:, first:] <= 0).all(axis=1)
        will_keep = (expected[len(seen.losses) :, first:] <= ceilings).all(axis=1)
        return Predicted(
            np.column_stack(means), np.column_stack(variances), expected, ceilings,
            np.r_[keeps, will_keep],
        )  # fmt: skip

    def _nearest_of_this_task(self, seen: Seen, point: Floats) -> list[str]:
        """Runs of the nearest prior trials of this very task, of its better half."""
        prior = len(self._same_task)
        scores = normal_scores(seen.losses[:prior]).mean(axis=1)
        better = np.flatnonzero(scores <= np.median(scores)) if prior else np.empty(0, dtype=int)
        distance = ((seen.points[better] - point) ** 2).sum(axis=1)
        nearest = better[np.argsort(distance, kind="stable")[:RUNS_NAMED]]
        return [self._same_task[index].run_id for index in nearest.tolist()]

    def _weights(self, judgements: Sequence[Judgement], models: Sequence[Process]) -> Floats:
        """How much each past task counts, over all objectives; below 0 if mostly in reverse."""
        each = np.zeros((len(models), len(self._tasks)))
        for row, judgement, model in zip(each, judgements, models, strict=True):
            if judgement.members:
                row[list(judgement.members)] = weights(model)
        # A task may count for one objective and in reverse for another: that is no weight of 0.
        size: Floats = np.abs(each).mean(axis=0)
        return np.where(each.sum(axis=0) < 0, -size, size)

    def _origin(
        self,
        seen: Seen,
        judgements: Sequence[Judgement],
        models: Sequence[Process],
        point: Floats,
    ) -> dict[str, Any]:
        counts = self._weights(judgements, models)
        heaviest = [int(i) for i in np.argsort(-np.abs(counts)).tolist() if counts[i] != 0][
            :RUNS_NAMED
        ]
        is_leaning = bool(heaviest)
        step = "history-model" if is_leaning else "prior-model" if self._same_task else "model"
        runs = [_nearest(self._tasks[index], point) for index in heaviest]
        leant_on = {self._tasks[i].name: float(counts[i]) for i in np.flatnonzero(counts).tolist()}
        made = origin(
            step,
            runs=[*self._nearest_of_this_task(seen, point), *runs],
            tasks=leant_on or {trial.task: 1.0 for trial in self._same_task},
            sampler="transfer",
            prior_trials=len(self._same_task),
        )
        if self._tasks or self._left_out:
            names = [task.name for task in self._tasks]
            made["guard"] = record(judgements, names, seen.own, self._left_out)
        return made


def _blocks(judgement: Judgement, opinions: Floats) -> list[Floats]:
    """Features of points under a judgement; `opinions` is `(points, tasks)`."""
    return blocks(opinions[:, list(judgement.members)]) if judgement.members else []


def _milestone(count: int) -> int:
    """The number of results that parameters are fitted to: at most `count`, in steps of a tenth."""
    count = min(count, FITTED_AT_MOST)
    milestone = min(count, FITTED_ALWAYS)
    while (following := int(np.ceil(milestone * GROWTH))) <= count and milestone >= FITTED_ALWAYS:
        milestone = following
    return milestone


def _nearest(task: PastTask, point: Floats) -> str:
    """The run of the task's better half that is nearest to a point."""
    better = np.flatnonzero(task.scores.mean(axis=1) <= np.median(task.scores.mean(axis=1)))
    distance = ((task.points[better] - point) ** 2).sum(axis=1)
    nearest = int(better[int(distance.argmin())])
    return task.trials[nearest].run_id

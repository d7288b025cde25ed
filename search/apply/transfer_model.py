"""HistoryModel: proposes where a model of this task expects most, leaning on history as it fits.

The model is a Gaussian process an objective, on this search's trials and on prior trials of the
very same task, which count as they are. It leans on what past tasks predict (`task_weights.py`) as
far as the guard lets it (`guard.py`); without history it is an ordinary one. It keeps no state: a
proposal depends on the context alone.

Sources: those of `task_weights.py`, `guard.py`, `acquisition.py` and `candidates.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.apply.acquisition import Predicted, acquisition_value
from search.apply.candidate_grid import CandidateGrid
from search.apply.candidates import CENTRES, Candidates
from search.apply.gaussian_process import Floats, Process, assemble
from search.apply.gp_fit import Prior, fit, usual_prior
from search.apply.guard import GuardedObjective, guard_objective
from search.apply.own_data import ObservedData, observed_data
from search.apply.provenance import Past, origin_of
from search.apply.scores import ceilings_of, warped_scores
from search.apply.source import Context, Proposal, seed_of
from search.apply.task_models import TaskModel
from search.apply.task_weights import blocks, learned_prior
from search.history import Trial
from search.objectives import pareto
from search.space.encoding import encode

# Fewest results from which a model speaks: with history three, since it knows what to expect; cold
# the six trials of the opening (`strategy.py`), so many started and three ended.
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


class TransferModel:
    """A source: the model's best candidate; None while too little was seen."""

    def __init__(
        self,
        tasks: Sequence[TaskModel],
        left_out: Mapping[str, str],
        positions: CandidateGrid,
        same_task: Sequence[Trial],
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
        ended = [trial for trial in same_task if trial.state in ("complete", "stopped")]
        self._past, self._positions = Past(tasks, left_out, ended), positions
        self._seed = seed
        self._candidates: Candidates | None = None
        self._priors: dict[int, Prior] = {}
        self._judged: tuple[bytes, tuple[GuardedObjective, ...]] = (b"", ())

    def propose(self, context: Context) -> Proposal | None:
        """The candidate with the highest acquisition value that was not tried."""
        seen = observed_data(context, self._past.same_task, self._positions.space)
        started = len(context.trials) + len(seen.losses) - seen.own
        if len(seen.losses) < FEWEST_WARM or (not self._past.tasks and started < FEWEST_COLD):
            return None
        if self._candidates is None:
            self._candidates = Candidates(
                self._positions,
                self._past.tasks,
                seen.losses.shape[1],
                seed_of(self._seed, "candidates"),
            )
        task_predictions = self._candidates.task_predictions(seen.points)
        judgements = self._judgements(seen, task_predictions)
        if started < FEWEST_COLD and not any(each.members for each in judgements):
            return None
        scores = warped_scores(seen.losses)
        models = [
            self._assembled(judgement, seen.points, scores[:, index], task_predictions[..., index])
            for index, judgement in enumerate(judgements)
        ]
        generator = np.random.default_rng(seed_of(self._seed, context.number, "model"))
        best = [seen.configurations[row] for row in pareto.order(seen.judged)[:CENTRES]]
        places, points, expected = self._candidates.around(best, generator)
        predicted = self._predicted(context, judgements, models, seen, points, expected, scores)
        values = acquisition_value(predicted, generator)
        for row in np.argsort(-values, kind="stable")[:LOOKED_AT]:
            configuration = self._positions.configuration(places[row])
            if not context.tried.holds(context.space, configuration):
                made = origin_of(points[row], self._past, seen, judgements, models)
                return Proposal(configuration, made)
        return None

    def _judgements(
        self, seen: ObservedData, task_predictions: Floats
    ) -> tuple[GuardedObjective, ...]:
        """The guard's judgements on the first so many results, one an objective."""
        count = _milestone(len(seen.losses))
        key = seen.points[:count].tobytes() + seen.losses[:count].tobytes()
        if self._judged[0] != key:
            scores = warped_scores(seen.losses[:count])
            judged = tuple(
                self._judged_objective(
                    seen.points[:count], scores, task_predictions[:count], objective
                )
                for objective in range(scores.shape[1])
            )
            self._judged = (key, judged)
        return self._judged[1]

    def _judged_objective(
        self, points: Floats, scores: Floats, task_predictions: Floats, objective: int
    ) -> GuardedObjective:
        groups, column = self._positions.groups, scores[:, objective]
        alone = fit(points, column, groups, usual_prior(len(self._positions.space.distributions)))
        foreseen = [i for i, task in enumerate(self._past.tasks) if task.is_predictable[objective]]
        views = task_predictions[:, foreseen, objective] if foreseen else np.empty((len(points), 0))

        def model_with(members: Sequence[int]) -> Process:
            prior = self._prior(objective, foreseen)
            if len(members) == 1 < len(foreseen):
                prior = Prior(prior.means[:-1], prior.spreads[:-1])
            return fit(points, column, groups, prior, blocks(views[:, list(members)]))

        judged = guard_objective(column, views, alone, model_with)
        agreement = np.full(len(self._past.tasks), np.nan)
        agreement[foreseen] = judged.agreement
        members = tuple(foreseen[member] for member in judged.members)
        return GuardedObjective(members, judged.parameters, judged.log_evidence, tuple(agreement))

    def _prior(self, objective: int, foreseen: Sequence[int]) -> Prior:
        if objective not in self._priors:
            tasks = [self._past.tasks[index] for index in foreseen]
            self._priors[objective] = learned_prior(tasks, self._positions.groups, objective)
        return self._priors[objective]

    def _assembled(
        self, judgement: GuardedObjective, points: Floats, scores: Floats, task_predictions: Floats
    ) -> Process:
        return assemble(
            points, scores, self._positions.groups, _blocks(judgement, task_predictions),
            judgement.parameters, float(scores.mean()),
        )  # fmt: skip

    def _predicted(
        self,
        context: Context,
        judgements: Sequence[GuardedObjective],
        models: Sequence[Process],
        seen: ObservedData,
        points: Floats,
        task_predictions: Floats,
        scores: Floats,
    ) -> Predicted:
        running = [
            trial.configuration
            for trial in context.trials
            if trial.state == "running" and trial.configuration
        ]
        under_way = encode(self._positions.space, running)
        assert self._candidates is not None
        theirs = self._candidates.task_predictions(under_way)
        means, variances, known = [], [], []
        for index, (judgement, model) in enumerate(zip(judgements, models, strict=True)):
            held = _blocks(judgement, theirs[..., index])
            fantasies = model.mean(under_way, held)
            known.append(np.r_[model.mean(seen.points, model.blocks), fantasies])
            fantasize = model.fantasize(under_way, held)
            mean, variance = fantasize.predict(
                points, _blocks(judgement, task_predictions[..., index])
            )
            means.append(mean)
            variances.append(variance)
        first = len(context.objectives)  # of the constraints
        ceilings, expected = ceilings_of(seen.losses, scores, first), np.column_stack(known)
        keeps = (seen.losses[:, first:] <= 0).all(axis=1)
        will_keep = (expected[len(seen.losses) :, first:] <= ceilings).all(axis=1)
        return Predicted(
            np.column_stack(means), np.column_stack(variances), expected, ceilings,
            np.r_[keeps, will_keep],
        )  # fmt: skip


def _blocks(judgement: GuardedObjective, task_predictions: Floats) -> list[Floats]:
    """Features of points under a judgement; `task_predictions` is `(points, tasks)`."""
    return blocks(task_predictions[:, list(judgement.members)]) if judgement.members else []


def _milestone(count: int) -> int:
    """The number of results that parameters are fitted to: at most `count`, in steps of a tenth."""
    count = min(count, FITTED_AT_MOST)
    milestone = min(count, FITTED_ALWAYS)
    while (following := int(np.ceil(milestone * GROWTH))) <= count and milestone >= FITTED_ALWAYS:
        milestone = following
    return milestone

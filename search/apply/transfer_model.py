"""TransferModel: propose where a model of this task expects most, on history as far as it fits.

The model is a Gaussian process for each objective, on this search's trials and on prior trials of
the same task, which count as they are. It uses the predictions of past tasks (`task_weights.py`) as
far as the guard allows it (`guard.py`); without history it is an ordinary process. Where costs are
known, what a candidate is expected to gain is divided by its price (`price.py`). It keeps no state:
a proposal depends on the context alone.

Where failures are known, what a candidate is expected to gain is multiplied by the probability that
it does not fail, and one that more probably fails than not is proposed only when there is no other
(`failure_risk.py`).

The true values of the trials are not known under noise. If the predicted ones count as known, a
candidate right next to the best trial always promises something, and a search measures that place
again and again. So with one objective a candidate counts by its difference from the best trial, of
which little is uncertain where the two are near; with two objectives the trials' values are drawn,
and a candidate's gain is the mean over the draws. What this is worth: results/LOG.md, 2026-12-01.

Sources: those of `task_weights.py`, `guard.py`, `acquisition.py` and `candidates.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.apply.acquisition import Draws, Predicted, log_acquisition_value
from search.apply.candidate_grid import CandidateGrid
from search.apply.candidates import CENTRES, Candidates
from search.apply.expected_gain import forecast
from search.apply.failure_risk import LIMIT, FailureMemory, LearnedRisk
from search.apply.gaussian_process import Floats, Process, assemble
from search.apply.gp_fit import Prior, fit, usual_prior
from search.apply.guard import GuardedObjective, guard_objective
from search.apply.own_data import ObservedData, observed_data
from search.apply.price import log_price, predicted_cost
from search.apply.proposal_source import Context, Proposal, seed_of
from search.apply.provenance import Past, origin_of
from search.apply.scores import ceilings_of, warped_scores
from search.apply.task_models import TaskModel
from search.apply.task_weights import blocks, learned_prior, without_differences
from search.extract.costs import CostModel, Costs, cost_model, costs_of
from search.history import Trial
from search.objectives import pareto
from search.space import Value
from search.space.encoding import encode

# Fewest results for a model: three with history, which gives it a prior; without history, six
# trials started (the opening, `strategy.py`) and three ended.
FEWEST_WARM = 3
FEWEST_COLD = 6
# Parameters are fitted anew at every result up to the first number, later when results have grown
# by a tenth. Beyond the last they hardly change, and a fit costs more than it gains.
FITTED_ALWAYS = 20
GROWTH = 1.1
FITTED_AT_MOST = 120
# Draws of the trials' true values behind an improvement of two objectives; even, as each has its
# mirror image. A proposal takes 2 ms longer for each (100 past searches of two objectives).
DRAWS = 8
# So many of the best candidates are checked for one that was not tried: late in a search on a
# coarse grid hundreds of the best were tried. With 100, one trial in ten was a random draw.
BEST_CHECKED = 1000


@dataclass(frozen=True)
class CostAndRisk:
    """What counts of a trial besides its values.

    Attributes:
        costs: Known costs of trials of other tasks; None if costs do not count.
        failures: The risk of a failure; None if that does not count.
    """

    costs: Costs | None = None
    failures: FailureMemory | None = None

    def risk(self, context: Context) -> LearnedRisk | None:
        """Returns the risk after the trials of a search; None if it does not count or is 0."""
        return None if self.failures is None else self.failures.at(context)


class TransferModel:
    """A source: the model's best candidate; None while there are too few results."""

    def __init__(
        self,
        tasks: Sequence[TaskModel],
        left_out: Mapping[str, str],
        grid: CandidateGrid,
        same_task: Sequence[Trial],
        seed: int,
        cost_and_risk: CostAndRisk | None = None,
    ) -> None:
        """Makes a source; it learns the prior on task weights at its first proposal.

        Args:
            tasks: Past tasks with their models.
            left_out: Task -> why it is not among them.
            grid: The grid of the target space.
            same_task: Prior trials of this task with comparable values.
            seed: The seed of the candidates.
            cost_and_risk: What trials cost and how they failed; None if neither counts.
        """
        ended = [trial for trial in same_task if trial.state in ("complete", "stopped")]
        self._past, self._grid = Past(tasks, left_out, ended), grid
        self._seed, self._cost_and_risk = seed, cost_and_risk or CostAndRisk()
        self._candidates: Candidates | None = None
        self._priors: dict[int, Prior] = {}
        self._decided: tuple[bytes, tuple[GuardedObjective, ...]] = (b"", ())

    def propose(self, context: Context) -> Proposal | None:
        """Returns the candidate with the highest acquisition value that was not tried."""
        data = observed_data(context, self._past.same_task, self._grid.space)
        started = len(context.trials) + len(data.losses) - data.own
        if data.is_measured.sum() < FEWEST_WARM or (not self._past.tasks and started < FEWEST_COLD):
            return None
        if self._candidates is None:
            seed, columns = seed_of(self._seed, "candidates"), data.losses.shape[1]
            self._candidates = Candidates(self._grid, self._past.tasks, columns, seed)
        task_predictions = self._candidates.task_predictions(data.points)
        decisions = self._decisions(data, task_predictions)
        if started < FEWEST_COLD and not any(each.members for each in decisions):
            return None
        scores = warped_scores(data.losses)
        models = self._models(decisions, data, task_predictions, scores)
        generator = np.random.default_rng(seed_of(self._seed, context.number, "model"))
        order = pareto.order(data.objective_losses)
        best = [data.configurations[row] for row in order[:CENTRES]]
        places, points, expected = self._candidates.around(best, generator)
        predicted = self._predicted(
            context, decisions, models, data, points, expected, scores, generator
        )
        costs = self._cost_model(context)
        prices = log_price(costs, points, self._candidates.pool)
        risk = self._cost_and_risk.risk(context)
        chances = np.zeros(len(points)) if risk is None else risk.probability(points)
        # Only a trial that succeeds improves on anything.
        successes = np.log(np.maximum(1.0 - chances, 1e-12))
        unpriced = log_acquisition_value(predicted, generator) + successes
        found = self._best_untried(unpriced - prices, chances, places, context)
        if found is None:
            return None
        row, configuration = found
        made = origin_of(points[row], self._past, data, decisions, models)
        made["forecast"] = forecast(predicted, row, data.losses, scores, context.objectives)
        if costs is not None:
            # Where cost counts, another candidate may be expected to gain more.
            other = self._best_untried(unpriced, chances, places, context)
            if other is not None and "gain" in made["forecast"]:
                most = forecast(predicted, other[0], data.losses, scores, context.objectives)
                made["forecast"]["most"] = max(made["forecast"]["gain"], most["gain"])
            made["forecast"] |= predicted_cost(costs, points[row])
        return Proposal(configuration, made | ({} if risk is None else risk.record(points[row])))

    def _best_untried(
        self, values: Floats, chances: Floats, places: Floats, context: Context
    ) -> tuple[int, Mapping[str, Value]] | None:
        """Returns the row and the configuration of the best candidate that was not tried.

        Those that would very probably fail come after all others; `chances` are of a failure.
        """
        for row in np.lexsort((-values, chances > LIMIT))[:BEST_CHECKED].tolist():
            configuration = self._grid.configuration(places[row])
            if not context.tried.holds(context.space, configuration):
                return row, configuration
        return None

    def _models(
        self,
        decisions: Sequence[GuardedObjective],
        data: ObservedData,
        task_predictions: Floats,
        scores: Floats,
    ) -> list[Process]:
        """Returns a process for each objective and constraint, as the guard decided."""
        return [
            assemble(
                data.points, scores[:, index], self._grid.groups,
                _blocks(decision, task_predictions[..., index]), decision.parameters,
                float(scores[:, index].mean()), variances=data.variances,
            )
            for index, decision in enumerate(decisions)
        ]  # fmt: skip

    def _cost_model(self, context: Context) -> CostModel | None:
        costs = self._cost_and_risk.costs
        if costs is None:
            return None
        own = [*self._past.same_task, *context.trials]
        return cost_model(costs, costs_of(own, self._grid.space))

    def _decisions(
        self, data: ObservedData, task_predictions: Floats
    ) -> tuple[GuardedObjective, ...]:
        """Returns the guard's decision for each objective, on the results up to a milestone."""
        # Only what was measured is evidence for or against history.
        rows = np.flatnonzero(data.is_measured)
        rows = rows[: _milestone(len(rows))]
        points, losses = data.points[rows], data.losses[rows]
        key = points.tobytes() + losses.tobytes()
        if self._decided[0] != key:
            scores = warped_scores(losses)
            decisions = tuple(
                self._decision(points, column, task_predictions[rows, :, index], index)
                for index, column in enumerate(scores.T)
            )
            self._decided = (key, decisions)
        return self._decided[1]

    def _decision(
        self, points: Floats, scores: Floats, task_predictions: Floats, objective: int
    ) -> GuardedObjective:
        groups, tasks = self._grid.groups, self._past.tasks
        alone = fit(points, scores, groups, usual_prior(len(self._grid.space.distributions)))
        usable = [i for i, task in enumerate(tasks) if task.is_predictable[objective]]
        predictions = task_predictions[:, usable]

        def model_with(members: Sequence[int]) -> Process:
            if objective not in self._priors:
                self._priors[objective] = learned_prior(
                    [tasks[index] for index in usable], groups, objective
                )
            prior = self._priors[objective]
            if len(members) == 1 < len(usable):
                prior = without_differences(prior)
            return fit(points, scores, groups, prior, blocks(predictions[:, list(members)]))

        decision = guard_objective(scores, predictions, alone, model_with)
        agreement = np.full(len(tasks), np.nan)
        agreement[usable] = decision.agreement
        members = tuple(usable[member] for member in decision.members)
        return replace(decision, members=members, agreement=tuple(agreement))

    def _predicted(
        self,
        context: Context,
        decisions: Sequence[GuardedObjective],
        models: Sequence[Process],
        data: ObservedData,
        points: Floats,
        task_predictions: Floats,
        scores: Floats,
        generator: np.random.Generator,
    ) -> Predicted:
        running = [
            trial.configuration
            for trial in context.trials
            if trial.state == "running" and trial.configuration
        ]
        under_way = encode(self._grid.space, running)
        assert self._candidates is not None
        theirs = self._candidates.task_predictions(under_way)
        means, variances, known, processes = [], [], [], list[Process]()
        features = [
            _blocks(decision, task_predictions[..., index])
            for index, decision in enumerate(decisions)
        ]
        for index, (decision, model) in enumerate(zip(decisions, models, strict=True)):
            held = _blocks(decision, theirs[..., index])
            known.append(np.r_[model.mean(data.points, model.blocks), model.mean(under_way, held)])
            processes.append(model.fantasize(under_way, held))
            mean, variance = processes[-1].predict(points, features[index])
            means.append(mean)
            variances.append(variance)
        first = len(context.objectives)  # of the constraints
        ceilings, expected = ceilings_of(data.losses, scores, first), np.column_stack(known)
        keeps = (data.losses[:, first:] <= 0).all(axis=1)
        will_keep = (expected[len(data.losses) :, first:] <= ceilings).all(axis=1)
        predicted = Predicted(
            np.column_stack(means), np.column_stack(variances), expected, ceilings,
            np.r_[keeps, will_keep],
        )  # fmt: skip
        return _under_noise(predicted, processes[:first], points, features, generator)


def _under_noise(
    predicted: Predicted,
    processes: Sequence[Process],
    points: Floats,
    features: Sequence[Sequence[Floats]],
    generator: np.random.Generator,
) -> Predicted:
    """Returns predictions that know how uncertain the trials' own values are.

    Args:
        predicted: Predictions that take the values for known.
        processes: Of the objectives.
        points: The candidates.
        features: Theirs, for each process.
        generator: Draws the trials' values, with two objectives.
    """
    if not predicted.is_feasible.any() or len(processes) > 2:
        return predicted
    if len(processes) == 1:
        best = int(np.where(predicted.is_feasible, predicted.known[:, 0], np.inf).argmin())
        differences = processes[0].difference_variance(points, features[0], best)
        return replace(predicted, difference_variances=differences)
    drawn = []
    for process, each in zip(processes, features[:2], strict=True):
        half = generator.standard_normal((DRAWS // 2, len(process.points)))
        drawn.append(process.sampled(points, each, np.vstack([half, -half])))
    known, means, variances = (np.stack(each, axis=-1) for each in zip(*drawn, strict=True))
    return replace(predicted, draws=Draws(known, means, variances))


def _blocks(decision: GuardedObjective, task_predictions: Floats) -> list[Floats]:
    """Returns the features of points under a decision; `task_predictions` is `(points, tasks)`."""
    return blocks(task_predictions[:, list(decision.members)]) if decision.members else []


def _milestone(count: int) -> int:
    """Returns the number of results to fit parameters to: at most `count`, in steps of a tenth."""
    count = min(count, FITTED_AT_MOST)
    milestone = min(count, FITTED_ALWAYS)
    while (following := int(np.ceil(milestone * GROWTH))) <= count and milestone >= FITTED_ALWAYS:
        milestone = following
    return milestone

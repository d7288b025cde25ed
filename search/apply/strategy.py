"""Strategy: which sources a search asks, in which order; a random draw when none has an answer.

On a task that was searched before, the best known configuration comes first (`incumbent.py`). Then,
with our own model: the portfolio, the model, the opening. With one of Optuna's samplers: the
portfolio, then that sampler on trials of this task. A control arm comes before all: of the first
`2 * trials` trials every second is proposed as a search without history would propose it, from the
control trials alone; the others do not see these until the arm is full. So both arms can be
compared at equal numbers of trials. Afterwards one model uses all trials.

The opening is the first trials of a search without history: the middle of every range and the first
of every choice, because people choose ranges around what they believe in; then random draws, until
there are enough results for a model. On HPOBench, cold, regret after 5 and 20 trials was .205 and
.089 with the middle first, .366 and .096 without (8 tasks by 3 seeds).

Sources: Song et al. 2024, "The Vizier Gaussian process bandit algorithm", section 3 (the centre of
the space first); Fisher 1935, "The design of experiments", chapter 2 (the randomised control).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from optuna.samplers import BaseSampler

from search.apply.candidate_grid import CandidateGrid
from search.apply.failure_risk import FailureMemory, LearnedRisk, with_risk
from search.apply.first_forecast import FirstForecasts
from search.apply.incumbent import Incumbent
from search.apply.optuna_sampler import CompletedStudy, OptunaSampler
from search.apply.portfolio import Portfolio
from search.apply.prior_data import PriorData, without_same_task
from search.apply.proposal_source import Context, Proposal, Source, Tried, origin, seed_of
from search.apply.stalled import EarlierBests, Turns
from search.apply.task_models import TaskModel, most_informative
from search.apply.transfer_model import CostAndRisk, TransferModel
from search.extract.costs import cost_model, costs_of
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace, Value
from search.space import values as space_values

# How many first trials come from other tasks before a model uses them: the model needs at least
# three results, and misleading history costs no more than these trials. Regret after 5/10/20 trials
# on HPOBench with 1, 3 and 5: .092/.074/.055, .086/.068/.053, .090/.073/.053 (8 tasks by 10 seeds,
# s.e. .004). Two objectives, lost hypervolume at 5/10/20/100 with 3 and 10: .286/.200/.139/.063 and
# .265/.227/.153/.063 (8 tasks by 3 seeds).
PORTFOLIO_SIZE = 3
# Further first trials for those that run at once, before any has ended.
PORTFOLIO_RESERVE = 13
# Prior trials of this task that were stopped early; they say only where it is bad.
STOPPED_KEPT = 30
# How the reason of a random configuration begins that replaces a proposal.
RAISED = "the sampler raised"
# Random draws before the configurations of a finite space are tried one by one.
RANDOM_DRAWS = 200


@dataclass(frozen=True)
class Options:
    """What a caller may choose.

    Attributes:
        sampler: One of Optuna's instead of our own model.
        portfolio: How many first trials come from other tasks.
        control: The number of trials of the control arm.
        seed: The seed of all draws.
        confirm: Whether the best known configuration of the task is trained again first.
        cost: Whether what a trial costs counts, where it is known.
        failures: Whether configurations that would very probably fail are avoided.
    """

    sampler: OptunaSampler | BaseSampler | None = None
    portfolio: int = PORTFOLIO_SIZE
    control: int = 0
    seed: int = 0
    confirm: bool = True
    cost: bool = True
    failures: bool = True


class Strategy:
    """The sources of one search in one space."""

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        prior: PriorData,
        options: Options,
    ) -> None:
        """Makes the sources.

        Args:
            space: The target space; in an empty one nothing is proposed.
            objectives: The target objectives.
            prior: History for both.
            options: Options of the caller.
        """
        self._sources: tuple[Source, ...] = ()
        self._control: Control | None = None
        self._incumbent: Incumbent | None = None
        self._made_for = (space, tuple(objectives), prior, options)
        self._forecasts = FirstForecasts(space, objectives, prior)
        self._after_change: Strategy | None = None
        self._failures: FailureMemory | None = None
        # Our own model leaves the first trials to chance; one of Optuna's samplers leaves none.
        self._why_random = "" if options.sampler is None else "the sampler repeated itself"
        if not space.distributions:
            return
        grid = CandidateGrid(space)
        same, _ = used_trials(prior, space, objectives, options)
        size = max(0, options.portfolio - sum(each.state == "complete" for each in prior.same_task))
        costs = (prior.costs or costs_of([], space)) if options.cost else None
        own = costs_of([], space) if options.cost else None
        known = cost_model(costs, costs_of(prior.same_task, space)) if costs is not None else None
        if options.failures:
            self._failures = FailureMemory(prior.failures, prior.same_task, space)
        alone = CostAndRisk(own, FailureMemory(None, (), space) if options.failures else None)
        bests = _tasks_with_bests(prior)
        portfolio = Portfolio(bests, grid, size, PORTFOLIO_RESERVE, known, self._failures)
        if options.confirm:
            self._incumbent = Incumbent(prior.same_task, prior.noises, space)
        if options.control:
            self._control = Control(options.control, grid, options.seed, alone)
        if options.sampler is not None:
            self._sources = (portfolio, CompletedStudy(options.sampler, same, options.seed))
        else:
            model = self._model(grid, same, CostAndRisk(costs, self._failures), alone)
            self._sources = (portfolio, model, Opening(grid, self._failures))

    def _model(
        self, grid: CandidateGrid, same: Sequence[Trial], learned: CostAndRisk, alone: CostAndRisk
    ) -> Source:
        """Returns our own model; where there are other tasks, it takes turns with their bests.

        Args:
            grid: The grid of the space.
            same: Prior trials of this task.
            learned: What history and this search say of costs and failures.
            alone: What this search says.
        """
        _, _, prior, options = self._made_for
        model = TransferModel(prior.tasks, prior.skipped_tasks, grid, same, options.seed, learned)
        if not prior.tasks:
            return model
        bests = EarlierBests(_tasks_with_bests(prior), grid, self._failures)
        unaided = CostAndRisk(alone.costs, self._failures)
        cold = TransferModel([], {}, grid, same, options.seed, unaided)
        return Turns(model, bests, cold, grid)

    def propose(self, context: Context) -> Proposal:
        """Returns the first proposal of a source; a random configuration if there is none."""
        if not context.space.distributions:
            return Proposal({}, origin("random"))
        if self._control is not None:
            if self._control.holds(context.number):
                control = self._control
                return _controlled(control.propose(context) or control.random_proposal(context))
            context = self._control.hidden(context)
        if self._incumbent is not None:
            if self._incumbent.is_gone(context):
                return self._changed().propose(replace(context, tried=context.asked))
            if (again := self._incumbent.propose(context)) is not None:
                return self._forecasts.added_to(again, context.trials)
        made = _first(self._sources, context)
        made = made or random_proposal(context, self._why_random, self._failures)
        return self._forecasts.added_to(made, context.trials)

    def _changed(self) -> Strategy:
        """Returns the sources after a change: prior trials of the task are of another task."""
        if self._after_change is None:
            space, objectives, prior, options = self._made_for
            prior = without_same_task(prior, space, objectives)
            options = replace(options, confirm=False, control=0)
            self._after_change = Strategy(space, objectives, prior, options)
        return self._after_change

    def instead(self, context: Context, error: Exception) -> Proposal:
        """Returns a random configuration in place of a proposal that raised, and says so."""
        lines = str(error).strip().splitlines()
        what = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
        made = random_proposal(context, f"{RAISED} {what}")
        is_control = self._control is not None and self._control.holds(context.number)
        return _controlled(made) if is_control else made


def _controlled(made: Proposal) -> Proposal:
    return Proposal(made.configuration, dict(made.origin) | {"step": "control"})


def used_trials(
    prior: PriorData, space: SearchSpace, objectives: Sequence[Objective], options: Options
) -> tuple[list[Trial], list[Trial]]:
    """Returns the prior trials that proposals rest on: of this task, and of other tasks."""
    complete = [trial for trial in prior.same_task if trial.state == "complete"]
    stopped = [trial for trial in prior.same_task if trial.state == "stopped"]
    others = [trial for task in _tasks_with_bests(prior) for trial in task.trials]
    if options.sampler is None:
        kept = most_informative(complete, objectives)
        return [*stopped[-STOPPED_KEPT:], *kept], others
    inside = [
        trial
        for trial in prior.same_task
        if trial.state in ("complete", "stopped")
        and all(
            space_values.holds(space.distributions[name], value)
            for name, value in trial.configuration.items()
        )
    ]
    return inside, others if options.portfolio > len(complete) else []


def _tasks_with_bests(prior: PriorData) -> list[TaskModel]:
    """Returns the tasks whose bests are tried; none where all of history looks like noise."""
    return [*prior.tasks, *prior.noisy_tasks] if prior.tasks else []


def _first(sources: Sequence[Source], context: Context) -> Proposal | None:
    proposals = (source.propose(context) for source in sources)
    return next((proposal for proposal in proposals if proposal is not None), None)


def random_proposal(
    context: Context, reason: str = "", failures: FailureMemory | None = None
) -> Proposal:
    """Draws a configuration at random that was not tried and will not very probably fail.

    Where all would, it is any that was not tried. Where a finite space has none left, it is one
    that other searches on this task have tried and this one has not; then any. Both are marked as
    repeated.
    """
    made = origin("random") | ({"reason": reason} if reason else {})
    risk = None if failures is None else failures.at(context)
    new = _untried(context, context.tried, risk)
    if new is not None:
        return with_risk(Proposal(new, made), risk)
    again = _untried(context, context.asked) or next(_drawn(context))
    return Proposal(again, made | {"repeated": True})


def _untried(
    context: Context, tried: Tried, risk: LearnedRisk | None = None
) -> dict[str, Value] | None:
    """Returns a configuration that was not tried, if `RANDOM_DRAWS` draws find one.

    Otherwise the first one of a finite space: nearly all was tried, or draws hardly find the rest.
    """
    drawn = _drawn(context)
    if risk is not None:
        drawn = iter(sorted(drawn, key=risk.is_too_high))
    candidates = chain(drawn, context.space.configurations())
    return next((each for each in candidates if not tried.holds(context.space, each)), None)


def _drawn(context: Context) -> Iterator[dict[str, Value]]:
    generator = np.random.default_rng(seed_of(context.seed, context.number, "random"))
    return (context.space.random_configuration(generator) for _ in range(RANDOM_DRAWS))


class Opening:
    """A source: the middle of the space, once."""

    def __init__(self, grid: CandidateGrid, failures: FailureMemory | None = None) -> None:
        self._middle, self._failures = grid.middle(), failures

    def propose(self, context: Context) -> Proposal | None:
        """Returns the middle if nothing was tried yet, here or on this task; else None.

        None, too, if it would very probably fail.
        """
        if context.trials or len(context.tried):
            return None
        risk = None if self._failures is None else self._failures.at(context)
        if risk is not None and risk.is_too_high(self._middle):
            return None
        return with_risk(Proposal(self._middle, origin("opening", sampler="transfer")), risk)


class Control:
    """A source for the control trials."""

    def __init__(
        self, trials: int, grid: CandidateGrid, seed: int, alone: CostAndRisk | None = None
    ) -> None:
        self._trials, self._failures = trials, alone.failures if alone else None
        model = TransferModel([], {}, grid, [], seed_of(seed, "control"), alone)
        self._sources = (Opening(grid), model)

    def holds(self, number: int) -> bool:
        """Whether a trial belongs to the arm, by its number."""
        return number < 2 * self._trials and number % 2 == 1

    def propose(self, context: Context) -> Proposal | None:
        """Returns the next trial of a search of the control trials alone; None for a random one."""
        alone = self._alone(context)
        tried = Tried()
        for trial in alone.trials:
            tried.add(context.space, trial.configuration)
        return _first(self._sources, replace(alone, tried=tried))

    def random_proposal(self, context: Context) -> Proposal:
        """Returns a random trial, which avoids what failed in the control trials alone."""
        return random_proposal(self._alone(context), failures=self._failures)

    def _alone(self, context: Context) -> Context:
        arm = tuple(trial for trial in context.trials if self.holds(trial.number))
        return replace(context, trials=arm)

    def hidden(self, context: Context) -> Context:
        """Returns the context of another trial: without the arm until it is full."""
        if context.number >= 2 * self._trials:
            return context
        others = tuple(trial for trial in context.trials if not self.holds(trial.number))
        return replace(context, trials=others)

"""Strategy: which sources a search asks, in which order, and chance when none has an answer.

With our own model: the portfolio, the model, the opening. With one of Optuna's samplers: the
portfolio, then that sampler on trials of this very task. A control arm goes before all: of the
first `2 * trials` trials every second is proposed as a search without history would propose it,
from the control trials alone; the others do not see these until the arm is full. Both arms can then
be compared at equal numbers of trials. Afterwards all trials serve one model.

The opening is the first trials of a search without history: the middle of every range and the first
of every choice, for people choose ranges around what they believe in; then chance, until a model
has enough to speak. On HPOBench, cold, regret after 5 and 20 trials was .205 and .089 with the
middle first, .366 and .096 without (8 tasks by 3 seeds).

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
from search.apply.optuna_sampler import CompletedStudy, OptunaSampler
from search.apply.portfolio import Portfolio
from search.apply.prior_data import PriorData
from search.apply.source import Context, Proposal, Source, Tried, origin, seed_of
from search.apply.task_models import most_telling
from search.apply.transfer_model import TransferModel
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace, Value
from search.space import values as space_values

# How many first trials come from other tasks before a model leans on them: three results are the
# fewest it can judge them by, and history that misleads costs no more than these. Regret after
# 5/10/20 trials on HPOBench with 1, 3 and 5: .092/.074/.055, .086/.068/.053, .090/.073/.053 (8
# tasks by 10 seeds, s.e. .004). Two objectives, lost hypervolume at 5/10/20/100 with 3 and 10:
# .286/.200/.139/.063 and .265/.227/.153/.063 (8 tasks by 3 seeds).
PORTFOLIO_SIZE = 3
# Further first trials for those that run at once, before any has ended.
PORTFOLIO_RESERVE = 13
# Prior trials of this very task that were stopped early; they say only where it is bad.
STOPPED_KEPT = 30
# Draws at random before the configurations of a finite space are gone through one by one.
RANDOM_DRAWS = 200


@dataclass(frozen=True)
class Options:
    """What a caller may choose.

    Attributes:
        sampler: One of Optuna's instead of our own model.
        portfolio: How many first trials come from other tasks.
        control: How many trials of the control arm.
        seed: Of everything.
    """

    sampler: OptunaSampler | BaseSampler | None = None
    portfolio: int = PORTFOLIO_SIZE
    control: int = 0
    seed: int = 0


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
            space: The target's; in an empty one nothing is proposed.
            objectives: The target's.
            prior: What history says for both.
            options: The caller's.
        """
        self._sources: tuple[Source, ...] = ()
        self._control: Control | None = None
        # Our own model leaves the first trials to chance, and one of Optuna's no trial.
        self._why_chance = "" if options.sampler is None else "the sampler repeated itself"
        if not space.distributions:
            return
        positions = CandidateGrid(space)
        portfolio = Portfolio(prior.tasks, positions, options.portfolio, PORTFOLIO_RESERVE)
        if options.control:
            self._control = Control(options.control, positions, options.seed)
        if options.sampler is not None:
            inside = [trial for trial in prior.same_task if _is_inside(space, trial)]
            self._sources = (portfolio, CompletedStudy(options.sampler, inside, options.seed))
        else:
            same = _own(prior.same_task, objectives)
            model = TransferModel(prior.tasks, prior.skipped_tasks, positions, same, options.seed)
            self._sources = (portfolio, model, Opening(positions))

    def propose(self, context: Context) -> Proposal:
        """The first answer of a source; a random configuration if there is none."""
        if not context.space.distributions:
            return Proposal({}, origin("random"))
        if self._control is not None:
            if self._control.holds(context.number):
                made = self._control.propose(context) or random_proposal(context)
                return Proposal(made.configuration, dict(made.origin) | {"step": "control"})
            context = self._control.hidden(context)
        for source in self._sources:
            proposal = source.propose(context)
            if proposal is not None:
                return proposal
        return random_proposal(context, self._why_chance)


def _own(same: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Trials of this very task that enter its model: the most telling, and the last stopped."""
    complete = [trial for trial in same if trial.state == "complete"]
    stopped = [trial for trial in same if trial.state == "stopped"]
    return [*stopped[-STOPPED_KEPT:], *most_telling(complete, objectives)]


def random_proposal(context: Context, reason: str = "") -> Proposal:
    """A configuration drawn at random that was not tried.

    Where a finite space has none, one that other searches on this task have tried and this one has
    not; then any. Both say that they are repeated.
    """
    made = origin("random") | ({"reason": reason} if reason else {})
    new = _untried(context, context.tried)
    if new is not None:
        return Proposal(new, made)
    again = _untried(context, context.asked) or next(_drawn(context))
    return Proposal(again, made | {"repeated": True})


def _untried(context: Context, tried: Tried) -> dict[str, Value] | None:
    """A configuration that is not among those tried, if `RANDOM_DRAWS` draws find it.

    Else the first of a finite space: nearly all of it was tried then, or chance hardly finds it.
    """
    space = context.space
    candidates = chain(_drawn(context), space.configurations())
    return next((each for each in candidates if not tried.holds(space, each)), None)


def _drawn(context: Context) -> Iterator[dict[str, Value]]:
    generator = np.random.default_rng(seed_of(context.seed, context.number, "random"))
    return (context.space.random_configuration(generator) for _ in range(RANDOM_DRAWS))


def _is_inside(space: SearchSpace, trial: Trial) -> bool:
    """Whether Optuna's distributions can hold a trial."""
    return all(
        space_values.holds(space.distributions[name], value)
        for name, value in trial.configuration.items()
    )


class Opening:
    """A source: the middle of the space, once."""

    def __init__(self, positions: CandidateGrid) -> None:
        self._middle = positions.middle()

    def propose(self, context: Context) -> Proposal | None:
        """The middle if nothing was tried yet, here or on this task; else nothing."""
        if context.trials or len(context.tried):
            return None
        return Proposal(self._middle, origin("opening", sampler="transfer"))


class Control:
    """A source for the control trials; None for all others."""

    def __init__(self, trials: int, positions: CandidateGrid, seed: int) -> None:
        self._trials = trials
        self._sources = (
            Opening(positions),
            TransferModel([], {}, positions, [], seed_of(seed, "control")),
        )

    def holds(self, number: int) -> bool:
        """Whether a trial belongs to the arm, by its number."""
        return number < 2 * self._trials and number % 2 == 1

    def propose(self, context: Context) -> Proposal | None:
        """What a search of the control trials alone would try next; None to leave it to chance."""
        arm = tuple(trial for trial in context.trials if self.holds(trial.number))
        tried = Tried()
        for trial in arm:
            tried.add(context.space, trial.configuration)
        for source in self._sources:
            proposal = source.propose(replace(context, trials=arm, tried=tried))
            if proposal is not None:
                return proposal
        return None

    def hidden(self, context: Context) -> Context:
        """The context of a trial that is not of the arm: without it until it is full."""
        if context.number >= 2 * self._trials:
            return context
        others = tuple(trial for trial in context.trials if not self.holds(trial.number))
        return replace(context, trials=others)

"""WarmStartSampler: an Optuna sampler that starts from everything already tried.

It asks its sources in order: a portfolio of what served other tasks, then an Optuna sampler on the
joint space, which continues from the same task's prior trials, then chance. The portfolio is what
history gives for the *first* trials; it does not steer later ones.

Usable in plain Optuna:

    sampler = WarmStartSampler(history, task="digits-cnn@ab12cd34", seed=0)
    study = optuna.create_study(sampler=sampler, directions=["maximize", "maximize"])
    study.optimize(objective, n_trials=20)
    sampler.origin(0)  # where trial 0's configuration came from

Source: Feurer, Springenberg, Hutter 2015, "Initializing Bayesian hyperparameter optimization via
meta-learning" (start where earlier tasks were good, then model the task itself).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search import space_values
from search.apply.inner_sampler import InnerSampler
from search.apply.inner_study import InnerStudy
from search.apply.joined_space import join, observed
from search.apply.own_trials import OwnTrials
from search.apply.portfolio import Portfolio
from search.apply.source import Proposal, Situation, Source, origin, seed_of
from search.history import History
from search.review import Evidence, reconcile
from search.review.evidence import read
from search.space import SearchSpace

_logger = logging.getLogger(__name__)

# How many first trials come from other tasks: as many as a model draws at random before it speaks
# (STARTUP_TRIALS), so history that misleads costs those and no more. HPOBench-MLP, 8 tasks by 3
# seeds, two objectives, lost hypervolume at 10/20/50 trials: cold .459/.320/.197; a portfolio of 8
# .244/.235/.177, of 10 .217/.203/.158, of 14 .217/.178/.147 (s.e. .02). But of 14 with *inverted*
# history, one objective, regret at 20: .349 against .157 of 8 and .147 cold.
PORTFOLIO_SIZE = 10
# Draws before a random configuration that was tried already is accepted.
RANDOM_DRAWS = 200


class WarmStartSampler(BaseSampler):
    """Proposes configurations from history first and from a model after that.

    A proposal depends on the seed, the history and the trials so far, and on no random state: the
    same seed gives the same search, and a resumed search continues as an uninterrupted one.
    Configurations tried before, in this search or on its task, are proposed again only when a
    finite space has nothing else. One sampler serves one study at a time, from any thread.

    Attributes:
        left_out: Reason -> number of prior trials that could not be used.
    """

    def __init__(
        self,
        history: History | None = None,
        space: SearchSpace | None = None,
        seed: int | None = 0,
        *,
        task: str | None = None,
        objectives: Sequence[str] | None = None,
        sampler: str | InnerSampler | BaseSampler = "tpe",
        portfolio: int = PORTFOLIO_SIZE,
    ) -> None:
        """Makes a sampler; it reads the history at its first proposal.

        Args:
            history: Earlier trials; None or empty starts cold.
            space: The target space. If None, it is history's until the study has finished trials,
                and then what these asked for.
            seed: None draws one.
            task: The task of this search. History of this task enters the model as it is; with
                None nothing is known to be of the same task, and all history is other tasks'.
            objectives: Metric names in the study's order. If None, the study's own metric names;
                without these, prior trials with the same directions count.
            sampler: What continues, on the joint space: "tpe", "gp" or "random", an
                `InnerSampler` with options, or an Optuna sampler of the caller's.
            portfolio: How many first trials come from other tasks; prior trials of the same task
                take their places.

        Raises:
            ValueError: The sampler's name is unknown, or the portfolio's size negative.
        """
        if portfolio < 0:
            raise ValueError(f"portfolio is {portfolio}; it counts trials, so 0 or more")
        self._history = history or History.empty()
        self._space = space
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._task = task
        self._objectives = tuple(objectives) if objectives else None
        self._sampler = InnerSampler(sampler) if isinstance(sampler, str) else sampler
        self._size = portfolio
        self._lock = threading.RLock()
        self._study_name = ""
        self._own = OwnTrials(SearchSpace({}))
        self._sources: tuple[Source, ...] = ()
        self._same_task: list[Evidence] = []
        self._proposals: dict[int, Proposal] = {}
        self.left_out: Counter[str] = Counter()

    def origin(self, trial_number: int) -> dict[str, Any]:
        """Where a trial's configuration came from, JSON-able; see `Proposal.origin`.

        A configuration that had to be repeated has `"repeated": True` besides. A trial that this
        sampler was never asked about, because it was enqueued or nothing in it was free, has the
        step "given".
        """
        if trial_number not in self._proposals:
            return origin("given")
        return dict(self._proposals[trial_number].origin)

    def is_exhausted(self, study: optuna.Study) -> bool:
        """Whether a finite space has no configuration left that was not tried."""
        with self._lock:
            self._refresh(study)
            self._own.update(study, self._proposals)
            size = self._own.space.size()
            is_known = bool(self._own.space.distributions)
            return is_known and size is not None and len(self._own.tried) >= size

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All hyperparameters of the space, inactive children included."""
        with self._lock:
            self._refresh(study)
            return dict(self._own.space.distributions)

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Makes the proposal for the trial; its values are handed out one by one.

        NOTE: it returns {} to Optuna, which raises if a value from here meets a distribution of
        another kind in the objective. `sample_independent` sees that distribution and can adapt.
        """
        with self._lock:
            self._refresh(study)
            others = self._own.update(study, self._proposals, without=trial.number)
            situation = Situation(
                trial.number,
                self._own.space,
                tuple(direction.name.lower() for direction in study.directions),
                others,
                self._own.tried,
                self._seed,
            )
            self._proposals[trial.number] = self._proposed(situation)
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The proposal's value in the trial's own distribution, or a draw if it has none."""
        proposal = self._proposals.get(trial.number)
        if proposal is not None and param_name in proposal.configuration:
            value = proposal.configuration[param_name]
            coerced = space_values.coerce(param_distribution, value)
            if coerced.is_known:
                return coerced.value
        generator = np.random.default_rng(seed_of(self._seed, trial.number, param_name))
        return space_values.draw(param_distribution, generator)

    def _proposed(self, situation: Situation) -> Proposal:
        if not situation.space.distributions:
            return Proposal({}, origin("random"))
        for source in self._sources:
            proposal = source.propose(situation)
            if proposal is not None:
                return proposal
        return random_proposal(situation)

    def _refresh(self, study: optuna.Study) -> None:
        """Reads history anew when the study or what is known of its space has changed."""
        space = self._space or self._observed_space(study)
        is_known_study = study.study_name == self._study_name
        if not is_known_study:
            self._study_name = study.study_name
            self._proposals = {}
        if is_known_study and space == self._own.space:
            return
        self._own = OwnTrials(space)
        directions = [direction.name.lower() for direction in study.directions]
        objectives = self._objectives or study.metric_names
        reconciled = reconcile(self._history, space, directions, objectives)
        evidence, outside = _inside(space, reconciled.evidence)
        left_out = reconciled.left_out + outside
        if left_out != self.left_out:
            _warn(left_out, len(self._history))
        self.left_out = left_out
        self._same_task = [trial for trial in evidence if trial.task == self._task]
        others = [trial for trial in evidence if trial.task != self._task]
        for trial in self._same_task:
            if trial.is_exact:
                self._own.tried.add(space, trial.configuration)
        # A space that changed has another portfolio; what was handed out of the last one counts.
        taken = sum(trial.state == "complete" for trial in self._same_task) + sum(
            proposal.origin["step"] == "portfolio" for proposal in self._proposals.values()
        )
        size = max(0, self._size - taken)
        self._sources = (
            Portfolio(others, space, directions, size, self._seed),
            InnerStudy(self._sampler, self._same_task, self._seed),
        )

    def _observed_space(self, study: optuna.Study) -> SearchSpace:
        spaces = [search.space for search in self._history.searches.values() if search.space]
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        return observed(join(spaces) if spaces else None, finished)


def random_proposal(situation: Situation) -> Proposal:
    """A configuration drawn at random: an untried one if `RANDOM_DRAWS` draws find any."""
    generator = np.random.default_rng(seed_of(situation.seed, situation.number, "random"))
    for _ in range(RANDOM_DRAWS):
        configuration = situation.space.random_configuration(generator)
        if not situation.tried.holds(situation.space, configuration):
            return Proposal(configuration, origin("random"))
    return Proposal(configuration, origin("random") | {"repeated": True})


def _inside(
    space: SearchSpace, evidence: Sequence[Evidence]
) -> tuple[list[Evidence], Counter[str]]:
    """The evidence that Optuna's distributions can hold; reason -> number of the others."""
    kept: list[Evidence] = []
    left_out: Counter[str] = Counter()
    for trial in evidence:
        problems = {
            name: read(space.distributions[name], value).problem
            for name, value in trial.configuration.items()
        }
        outside = [name for name, problem in problems.items() if problem == "outside"]
        if outside:
            left_out[f"its {outside[0]} lies outside this search's range"] += 1
            continue
        configuration = space.restate(trial.configuration).configuration
        kept.append(replace(trial, configuration=configuration))
    return kept, left_out


def _warn(left_out: Counter[str], total: int) -> None:
    if not left_out:
        return
    reasons = "; ".join(f"{count} because {reason}" for reason, count in left_out.most_common())
    _logger.warning(
        "%d of %d prior trials left out: %s. The search starts from the others. To use them too, "
        "widen the space, rename hyperparameters when reading the history, or name the objectives.",
        left_out.total(), total, reasons,
    )  # fmt: skip

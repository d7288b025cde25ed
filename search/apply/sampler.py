"""WarmStartSampler: an Optuna sampler that starts from everything already tried.

First come configurations that were best on other tasks (`portfolio.py`); then a model of this task
that uses the predictions of other tasks, as far as they prove true here (`transfer_model.py`,
`guard.py`). Prior trials of the same task count as they are, and the best of them is trained again
first (`incumbent.py`). Without history it is a Gaussian process whose first trial is the middle of
the space.

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
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.apply.joined_space import join_spaces, observed, part_of
from search.apply.left_out import check_stated, likely_renames, warning_of
from search.apply.objective_model import ObjectiveModel, objective_model_of
from search.apply.optuna_sampler import OptunaSampler
from search.apply.own_data import OwnTrials
from search.apply.prior_data import PriorData, prior_data
from search.apply.proposal_source import Context, Proposal, origin, seed_of
from search.apply.strategy import PORTFOLIO_SIZE, Options, Strategy, random_proposal
from search.extract.task_similarity import similarities_of
from search.history import History
from search.history.provenance import names_in_words
from search.objectives.objective import UNKNOWN, Objective, from_lists
from search.objectives.roles import is_plain, searched
from search.review.reconcile import reconcile
from search.space import SearchSpace, Value
from search.space import values as space_values
from search.space.limits import problem_of
from search.spec.errors import nearest_name

_logger = logging.getLogger(__name__)

# The name of our own model among the samplers.
TRANSFER = "transfer"


class WarmStartSampler(BaseSampler):
    """An Optuna sampler that proposes configurations from history first, then from a model.

    A proposal depends on the seed, the history and the trials so far, and on no random state: the
    same seed gives the same search, and a resumed search continues as an uninterrupted one.
    Configurations tried before, in this search or on its task, are proposed again only when a
    finite space has nothing else; but for the best known one of the task, which comes first. One
    sampler serves one study at a time, from any thread.

    NOTE: Optuna finds a choice by equality, so of choices that are equal in Python (0 and False,
    1 and True) a study records the first, whichever was tried. This sampler remembers what it gave
    to each trial and models that. What it did not give itself (trials that were enqueued, added, or
    asked before the study was loaded again) it can only read from the study. Fix in plain Optuna:
    name such choices by different texts.

    NOTE: Optuna's `HyperbandPruner` hides a study's metric names from samplers: give `objectives`.
    Constraints of a study's trials (`Trial.set_constraint`) count.

    Attributes:
        left_out: Reason -> number of prior trials that could not be used.
    """

    def __init__(
        self,
        history: History | PriorData | None = None,
        space: SearchSpace | None = None,
        seed: int | None = 0,
        *,
        task: str | None = None,
        objectives: Sequence[str] | Sequence[Objective] | None = None,
        directions: Sequence[str] | None = None,
        fingerprint: Mapping[str, Any] | None = None,
        sampler: str | OptunaSampler | BaseSampler = TRANSFER,
        portfolio: int = PORTFOLIO_SIZE,
        control: int = 0,
        confirm: bool = True,
        cost: bool = True,
        failures: bool = True,
    ) -> None:
        """Makes a sampler; it reads the history at its first proposal.

        Args:
            history: Earlier trials; None or empty starts cold. Or `PriorData` for this space, task
                and these objectives. Where a robust accuracy counts, trials in which it is in doubt
                have failed, as in a search whose spec says nothing of them.
            space: The target space, required with `PriorData`. If None, it is the space of the
                history until the study has finished trials, and then the space of these.
            seed: None draws one.
            task: The task of this search. History of this task enters the model as it is; with
                None all history is of other tasks. A task that history lacks has a `fingerprint`.
            objectives: Metric names in the study's order, or `Objective`s. If None, the study's own
                metric names; without these, prior trials with the same directions are used. History
                that states no directions, as runs logged by hand, needs the names. Where
                roles differ, the study has the searched objectives, in their order, and its trials
                have the constraints of `ObjectiveModel.constraints`.
            directions: Directions of objectives that are names; if None, the study's. `Objective`s
                have their own.
            fingerprint: Facts of the task, see `search/extract/task_similarity.py`. Of many earlier
                tasks the most similar ones are used.
            sampler: The method after the portfolio: "transfer", our model; or, on the joint space
                and without other tasks, "tpe", "gp" or "random", an `OptunaSampler` with options,
                or an Optuna sampler of the caller's.
            portfolio: How many first trials come from other tasks; each complete prior trial of the
                same task replaces one.
            control: Size of the control arm, whose trials do not use history; see `strategy.py`.
            confirm: Whether the first trial trains the best configuration that history has of this
                task again, which shows that its values still hold; see `incumbent.py`.
            cost: Whether cheap trials come first where their improvement pays, see `price.py`.
                Costs are those of history, and of this study's trials that have a user attribute
                "work" (FLOP) or "seconds" when they are told.
            failures: Whether configurations that would probably fail are avoided, as far as failed
                trials of history and of this study tell, see `failure_risk.py`. A user attribute
                "reason" of a trial that is told as failed says why, such as "out of memory". Not
                those that an Optuna sampler proposes: it knows of no failed trial.

        Raises:
            TypeError: The history is none, but its place, or a study.
            ValueError: The sampler's name or the task is unknown, a number of trials negative, or
                objectives and directions do not go together. At the first proposal: no trial of
                history states its directions, and the objectives have no names.
        """
        for name, number in {"portfolio": portfolio, "control": control}.items():
            if number < 0:
                raise ValueError(f"{name} is {number}; it counts trials, so 0 or more")
        if history is not None and not isinstance(history, History | PriorData):
            raise TypeError(
                f"history is a {type(history).__name__}; fix: read it with search.load_history(URI)"
                ", or search.History.from_studies({TASK: STUDY})"
            )
        self._prior = history if isinstance(history, PriorData) else None
        self._history = history if isinstance(history, History) else History.empty()
        if task is not None and not fingerprint and len(self._history):
            _check_task(task, self._history.tasks())
        self._task, self._fingerprint = task, fingerprint or {}
        self._space = space
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._objectives = from_lists(objectives or (), directions)
        self._objective_model: ObjectiveModel | None = None
        if not is_plain(self._objectives):
            self._objective_model = objective_model_of(self._objectives)
        inner: OptunaSampler | BaseSampler | None = None
        if not isinstance(sampler, str):
            inner = sampler
        elif sampler != TRANSFER:
            inner = OptunaSampler(sampler)
        self._options = Options(inner, portfolio, control, self._seed, confirm, cost, failures)
        self._lock = threading.RLock()
        self._study_name = ""
        self._own = OwnTrials(SearchSpace({}))
        self._strategy = Strategy(SearchSpace({}), (), PriorData(), self._options)
        self._proposals: dict[int, Proposal] = {}
        self._values: dict[int, dict[str, Value]] = {}  # trial number -> what it was given
        self.left_out: Counter[str] = Counter()

    def __getstate__(self) -> dict[str, Any]:
        """Returns what a copy takes along: all but the lock, which guards one object."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Makes a copy of its state."""
        vars(self).update(state)
        self._lock = threading.RLock()

    def origin(self, trial_number: int) -> dict[str, Any]:
        """Returns where a trial's configuration came from, JSON-able; see `Proposal.origin`.

        A repeated configuration also has `"repeated": True`. A trial that this sampler was not
        asked for, because it was enqueued or has fixed values only, has the step "given".
        """
        if trial_number not in self._proposals:
            return origin("given")
        return dict(self._proposals[trial_number].origin)

    def propose(self, study: optuna.Study) -> Proposal | None:
        """Returns what a search tries next; None if the study has tried everything.

        It is for the study's next trial, see `ask`. Unlike in `study.ask`, the control arm draws
        a random configuration instead of one that the others have tried already. If the sampler
        raises, the proposal is a random one, whose origin has the exception as its reason.
        """
        with self._lock:
            context = self._context(study, len(study.get_trials(deepcopy=False)))
            try:
                proposal = self._strategy.propose(context)
            except Exception as error:
                proposal = self._strategy.instead(context, error)
            if context.asked.holds(context.space, proposal.configuration):
                other = random_proposal(context)
                if context.asked.holds(context.space, other.configuration):
                    return None
                step = proposal.origin["step"]
                proposal = Proposal(other.configuration, {**other.origin, "step": step})
            self._proposals[context.number] = proposal
            return proposal

    def ask(self, study: optuna.Study, proposal: Proposal) -> optuna.Trial:
        """Returns the study's next trial, which tries exactly what is proposed."""
        with self._lock:
            self._refresh(study)
            study.enqueue_trial(dict(proposal.configuration))
            trial = study.ask()
            self._values[trial.number] = dict(proposal.configuration)
            for name in proposal.configuration:
                space_values.suggest(trial, name, self._own.space.distributions[name])
            return trial

    def is_exhausted(self, study: optuna.Study) -> bool:
        """Whether a finite space has no configuration left that was not tried."""
        with self._lock:
            self._refresh(study)
            self._own.update(study, self._proposals, self._values)
            size = self._own.space.size()
            is_known = bool(self._own.space.distributions)
            return is_known and size is not None and len(self._own.tried) >= size

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns all hyperparameters of the space, inactive children included."""
        with self._lock:
            return dict(self._space_of(study).distributions)

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Makes the proposal for the trial; `sample_independent` returns its values.

        NOTE: it returns {}, because Optuna raises if a value from here does not fit the
        distribution in the objective. `sample_independent` sees that distribution and can adapt.

        Args:
            study: The study.
            trial: The trial to propose for.
            search_space: What there is to choose. A sampler around this one, as Optuna's
                `PartialFixedSampler`, removes what it chooses itself; that is not modelled.
        """
        with self._lock:
            context = self._context(study, trial.number, search_space)
            self._proposals[trial.number] = self._strategy.propose(context)
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns the proposal's value in the trial's distribution, or a draw if it has none."""
        proposal = self._proposals.get(trial.number)
        generator = np.random.default_rng(seed_of(self._seed, trial.number, param_name))
        value = space_values.draw(param_distribution, generator)
        if proposal is not None and param_name in proposal.configuration:
            found = space_values.read(param_distribution, proposal.configuration[param_name])
            if found.is_known:
                value = space_values.nearest(param_distribution, found.value)
        self._values.setdefault(trial.number, {})[param_name] = value
        return value

    def _context(
        self, study: optuna.Study, number: int, free: Mapping[str, BaseDistribution] | None = None
    ) -> Context:
        self._refresh(study, free)
        others = self._own.update(study, self._proposals, self._values, without=number)
        own = self._own
        steps = [each.origin["step"] for key, each in self._proposals.items() if key != number]
        return Context(
            number, own.space, self._told(study), others, own.tried, self._seed,
            self._objective_model, asked=own.asked, from_portfolio=steps.count("portfolio"),
        )  # fmt: skip

    def _space_of(self, study: optuna.Study) -> SearchSpace:
        """Returns the target space: history's until the study has finished trials.

        It is that of its task's searches, where history has some: others have searched more.
        """
        if self._space is not None:
            return self._space
        searches = self._history.searches.values()
        of_task = [each for each in searches if each.task == self._task and each.space]
        spaces = [each.space for each in of_task or searches if each.space]
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        finished = study.get_trials(deepcopy=False, states=ended)
        return observed(join_spaces(spaces) if spaces else None, finished)

    def _refresh(
        self, study: optuna.Study, free: Mapping[str, BaseDistribution] | None = None
    ) -> None:
        """Reads history again when the study or the space has changed.

        Args:
            study: The study.
            free: The part of the space to choose from; None for all of it.
        """
        space = self._space_of(study)
        if free is not None and free.keys() != space.distributions.keys():
            space = part_of(space, free)
        is_known_study = study.study_name == self._study_name
        if not is_known_study:
            self._study_name = study.study_name
            self._proposals, self._values = {}, {}
        if is_known_study and space == self._own.space:
            return
        for name, distribution in space.distributions.items():
            if why := problem_of(distribution):
                raise ValueError(f"{name}: {why}; fix: give it another range")
        self._own = OwnTrials(space)
        objectives = self._told(study)
        prior, hint = (self._prior, "") if self._prior else self._read(space, objectives)
        if self._prior is None:
            check_stated(prior.left_out, self._history)
            if prior.left_out and prior.left_out != self.left_out:
                _logger.warning(warning_of(prior.left_out, self._history, hint))
        self.left_out = prior.left_out
        for trial in prior.same_task:
            if trial.is_exact:
                self._own.tried.add(space, trial.configuration)
        self._strategy = Strategy(space, objectives, prior, self._options)

    def _read(self, space: SearchSpace, told: tuple[Objective, ...]) -> tuple[PriorData, str]:
        """Prepares history for a space and for the objectives that the study is told.

        Returns:
            What can be used, and the renames that seem likely, as a sentence; "" without any.
        """
        # With roles the study is told only some of the objectives.
        objectives = told if self._objective_model is None else self._objectives
        similarities: dict[str, float] = {}
        if self._fingerprint:
            alike = similarities_of(self._history, self._task or "", self._fingerprint)
            similarities = {search: each.value for search, each in alike.items()}
        reconciled = reconcile(self._history, space, objectives)
        prior = prior_data(
            reconciled, space, objectives,
            task=self._task, similarities=similarities,
            has_models=self._options.sampler is None or self._options.portfolio > 0,
        )  # fmt: skip
        return prior, likely_renames(reconciled.decisions)

    def _told(self, study: optuna.Study) -> tuple[Objective, ...]:
        """Returns the objectives whose values the study is told; metrics may be "".

        Raises:
            ValueError: The study has other objectives than this sampler was made for.
        """
        directions = [direction.name.lower() for direction in study.directions]
        named = searched(self._objectives)
        if not named:
            # Optuna's HyperbandPruner shows a study of one bracket, which has no metric names.
            names = getattr(study, "metric_names", None)
            return from_lists(names or [""] * len(directions), directions)
        wanted = [each.direction for each in named]
        if len(wanted) != len(directions) or not all(
            pair[0] in (UNKNOWN, pair[1]) for pair in zip(wanted, directions, strict=True)
        ):
            raise ValueError(
                f"the study's directions are {directions}, the sampler's objectives {named}; fix: "
                f"make the study with the directions of these objectives"
            )
        return tuple(map(Objective, (each.metric for each in named), directions))


def _check_task(task: str, known: Sequence[str]) -> None:
    if task in known:
        return
    close = nearest_name(task, known)
    meant = f"; did you mean {close!r}? It" if close else ": it"
    raise ValueError(
        f"no trial of the history is of task {task!r}{meant} has {names_in_words(list(known))}; "
        "fix: name one of its tasks, or leave task out, then all of it is of other tasks"
    )

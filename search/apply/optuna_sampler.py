"""Run one of Optuna's samplers on a study in which every trial has every hyperparameter.

Optuna's TPE and GP model jointly only the hyperparameters that all trials have: conditional
children, and any hyperparameter that one imported trial lacks, silently drop out. So they never see
the search's own study. They see a second study, in memory, with the search's trials and the prior
trials of the same task, each completed to the whole space, and of their proposal only the active
part is kept. Trials of other tasks do not belong in it: TPE compares raw values, and those of an
easier task would all look good.

Sources: Lévesque et al. 2017, "Bayesian optimization for conditional hyperparameter spaces"
(imputation); Ginsbourger et al. 2010, "Kriging is well-suited to parallelize optimization" (pending
trials); Bergstra et al. 2011, "Algorithms for hyper-parameter optimization" (TPE); Ozaki et al.
2022, "Multiobjective tree-structured Parzen estimator"; Jones et al. 1998, "Efficient global
optimization of expensive black-box functions", and Daulton et al. 2020, "Differentiable expected
hypervolume improvement" (GP).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from search.apply.objective_model import with_constraints
from search.apply.proposal_source import Context, Proposal, origin, seed_of
from search.apply.scores import losses_of
from search.history import Trial
from search.history.studies import quiet_study
from search.objectives import pareto
from search.objectives.objective import Objective
from search.space import SearchSpace, Value
from search.space import values as space_values
from search.space.encoding import active, fill

# Random proposals before the model is used (Optuna's default); prior trials of this task count.
STARTUP_TRIALS = 10
_SAMPLERS: Mapping[str, tuple[Callable[..., BaseSampler], Mapping[str, Any]]] = {
    # Optuna's default for several objectives is independent TPE. Lost hypervolume at 16/32/100
    # trials: .339/.245/.149, joint .360/.234/.140 (s.e. .02; HPOBench-MLP, 8 tasks by 5 seeds).
    "tpe": (TPESampler, {"n_startup_trials": STARTUP_TRIALS, "multivariate": True}),
    "gp": (GPSampler, {"n_startup_trials": STARTUP_TRIALS, "warn_independent_sampling": False}),
    "random": (RandomSampler, {}),
}


@dataclass(frozen=True)
class OptunaSampler:
    """Which Optuna sampler to run on the joint space.

    Attributes:
        name: "tpe", "gp" or "random". Samplers that keep their state in a study's attributes, such
            as NSGA-II, cannot run on an inner study.
        options: Arguments of its constructor; they override our defaults.

    Raises:
        ValueError: The name is unknown, or the sampler does not take the options.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in _SAMPLERS:
            raise ValueError(
                f"unknown sampler {self.name!r}; fix: use one of {', '.join(_SAMPLERS)}"
            )
        try:
            self.make(0)
        except TypeError as error:
            raise ValueError(f"sampler {self.name} does not take {dict(self.options)}") from error

    @property
    def startup_trials(self) -> int:
        """How many trials are random before the model is used."""
        defaults = _SAMPLERS[self.name][1]
        return int({**defaults, **self.options}.get("n_startup_trials", 0))

    def make(self, seed: int) -> BaseSampler:
        """Makes a new sampler."""
        constructor, defaults = _SAMPLERS[self.name]
        return constructor(seed=seed, **{**defaults, **self.options})


# Optuna's GP lists all values of an integer or a grid: 32 GiB for those of 32 bits, and 0.7 s a
# proposal for a million. The inner study has a range instead, whose values are rounded.
MOST_STEPS = 10_000
# How often a sampler is asked again when it proposes what was tried. Each refused proposal stays
# pending meanwhile, so that also a deterministic sampler moves on.
ATTEMPTS = 20


class CompletedStudy:
    """A source: asks an Optuna sampler, on a study of completed trials.

    Own trials enter as soon as they are known and are then kept up to date, so a proposal costs
    what the sampler costs, however long the search is.

    - Complete: with their values.
    - Running: as running, which TPE counts as bad and the GP marginalises out.
    - Stopped early: as complete, with the worst value of each objective among complete trials. A
      partial value is no substitute, since it is of another epoch: robust accuracy may fall with
      training, and seconds always grow, so it would often look *good*. A stop proves that others
      were better at the same epoch, and the worst values say so to every sampler.
    - Failed: not at all, since a crash is no measurement.

    Constraints go with the values. A trial without a constraint that others have counts as keeping
    it: Optuna's GP needs the same constraints of every trial.
    """

    def __init__(
        self, sampler: OptunaSampler | BaseSampler, prior: Sequence[Trial], seed: int
    ) -> None:
        """Makes a source whose study is built at its first proposal.

        Args:
            sampler: Made anew for each proposal, from a seed of its own, so that a resumed search
                continues alike; or a sampler of the caller's, used as it is.
            prior: Trials of the same task; complete and stopped ones count.
            seed: For imputation and for the sampler.
        """
        self._sampler = sampler
        self._prior = [trial for trial in prior if trial.state in ("complete", "stopped")]
        self._seed = seed
        self._study: optuna.Study | None = None
        self._worst: tuple[float, ...] = ()
        self._names: tuple[str, ...] = ()  # of the constraints
        # Key of a trial -> its number in the study (prior ones have none), and as it was entered.
        self._entered: dict[str, tuple[int | None, Trial]] = {}

    def propose(self, context: Context) -> Proposal | None:
        """Returns the sampler's proposal; None if it repeats itself `ATTEMPTS` times."""
        study = self._synchronised(context)
        asked: list[optuna.Trial] = []
        try:
            for attempt in range(ATTEMPTS):
                study.sampler = (
                    self._sampler.make(seed_of(self._seed, context.number, attempt))
                    if isinstance(self._sampler, OptunaSampler)
                    else self._sampler
                )
                asked.append(study.ask(_inner(context.space)))
                configuration = active(context.space, _from_inner(context.space, asked[-1].params))
                if not context.tried.holds(context.space, configuration):
                    return Proposal(configuration, self._origin(context))
            return None
        finally:
            # The proposal is entered by the next one, with the trial that ran it.
            for trial in asked:
                study.tell(trial, state=TrialState.FAIL)

    def _origin(self, context: Context) -> dict[str, Any]:
        complete = [trial for trial in self._prior if trial.state == "complete"]
        measured = len(self._prior) + sum(
            trial.state in ("complete", "stopped") for trial in context.trials
        )
        name, is_random = type(self._sampler).__name__, False
        if isinstance(self._sampler, OptunaSampler):
            name = self._sampler.name
            is_random = name == "random" or measured < self._sampler.startup_trials
        if is_random or not complete:
            step = "random" if is_random else "model"
            return origin(step, sampler=name, prior_trials=len(self._prior))
        losses = losses_of(complete, context.objectives)
        return origin(
            "prior-model",
            # All prior trials shaped the proposal; the record names the ten best.
            runs=[complete[index].run_id for index in pareto.order(losses)[:10]],
            tasks={complete[0].task: 1.0},
            sampler=name,
            prior_trials=len(self._prior),
        )

    def _synchronised(self, context: Context) -> optuna.Study:
        """Returns the inner study, with all that the context knows."""
        rows = with_constraints([*self._prior, *context.trials], context.objective_model)
        prior, own = rows[: len(self._prior)], rows[len(self._prior) :]
        keyed = {f"p{index}": row for index, row in enumerate(prior)}
        keyed |= {f"o{row.number}": row for row in own}
        worst = _worst_values(rows, context.objectives)
        names = tuple(dict.fromkeys(name for row in rows for name in row.constraints))
        # What was entered as ended has other constraints where a tolerance has moved.
        has_moved = any(
            before.state != "running" and before.constraints != keyed[key].constraints
            for key, (_, before) in self._entered.items()
            if key in keyed
        )
        if self._study is None or has_moved or (worst, names) != (self._worst, self._names):
            # A worse complete trial moves the stopped ones, and told values cannot be changed.
            # This happens about as often as a record falls: some ln(trials) times a search.
            self._worst, self._names = worst, names
            self._study = quiet_study(context.objectives)
            self._entered = {
                key: (self._add(self._study, context, row, key), row)
                for key, row in keyed.items()
                if key.startswith("p")
            }
        for row in own:
            self._enter(self._study, context, row)
        return self._study

    def _enter(self, study: optuna.Study, context: Context, own: Trial) -> None:
        """Adds an own trial, or updates the one that stands for it."""
        key = f"o{own.number}"
        if key in self._entered:
            number, before = self._entered[key]
            assert number is not None, "only prior trials have none"
            if own == before:
                return
            # An entered trial cannot be given constraints: it is entered anew.
            is_as_proposed = before.configuration == own.configuration and not self._names
            if before.state == "running":
                values = self._values(own) if is_as_proposed else []
                state = TrialState.COMPLETE if values else TrialState.FAIL
                study.tell(number, values or None, state=state)
                del self._entered[key]
                if is_as_proposed:
                    self._entered[key] = (number, own)
                    return
        if own.configuration:
            added = self._add(study, context, own, key)
            if added is not None:
                self._entered[key] = (added, own)

    def _add(self, study: optuna.Study, context: Context, row: Trial, key: str) -> int | None:
        """Adds a trial, completed to the whole space; returns its inner number, None if left out.

        The space is the context's: a study lives no longer than its space.
        """
        measured = self._values(row)
        if not measured and row.state != "running":
            return None
        constraints = {name: row.constraints.get(name, 0.0) for name in self._names}
        filled = fill(context.space, row.configuration, seed_of(self._seed, key))
        trial = create_trial(
            state=TrialState.RUNNING if row.state == "running" else TrialState.COMPLETE,
            params=_to_inner(context.space, filled),
            distributions=_inner(context.space),
            values=measured or None,
            constraints=constraints if measured and constraints else None,
        )
        study.add_trial(trial)
        return len(study.get_trials(deepcopy=False)) - 1

    def _values(self, trial: Trial) -> list[float]:
        """Returns the values that a trial counts with; empty if it does not count."""
        if trial.state == "complete" and np.isfinite(trial.values).all():
            return list(trial.values)
        return list(self._worst) if trial.state == "stopped" else []


def _ambiguous(space: SearchSpace) -> dict[str, CategoricalDistribution]:
    """Returns the hyperparameters of which two choices are equal in Python, as 0 and False are.

    Optuna finds a choice by equality, so it would take every False for a 0. The inner study has
    the places of these choices instead.
    """
    return {
        name: kind
        for name, kind in space.distributions.items()
        if isinstance(kind, CategoricalDistribution) and len(set(kind.choices)) < len(kind.choices)
    }


def _fine(space: SearchSpace) -> dict[str, FloatDistribution | IntDistribution]:
    """Returns the integers and grids of more than `MOST_STEPS` values."""
    return {
        name: kind
        for name, kind in space.distributions.items()
        if isinstance(kind, FloatDistribution | IntDistribution)
        and (space_values.count(kind) or 0) > MOST_STEPS
    }


def _inner(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Returns the distributions of the inner study."""
    places = {
        name: CategoricalDistribution(range(len(kind.choices)))
        for name, kind in _ambiguous(space).items()
    }
    ranges = {
        name: FloatDistribution(kind.low, kind.high, log=kind.log)
        for name, kind in _fine(space).items()
    }
    return {**space.distributions, **places, **ranges}


def _to_inner(space: SearchSpace, configuration: Mapping[str, Value]) -> dict[str, Any]:
    """Returns a configuration in the terms of the inner study."""
    places = {
        name: space_values.index_of(kind, configuration[name])
        for name, kind in _ambiguous(space).items()
    }
    return {**configuration, **places}


def _from_inner(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the params of the inner study in the terms of the space."""
    choices = {name: kind.choices[params[name]] for name, kind in _ambiguous(space).items()}
    steps = {name: space_values.nearest(kind, params[name]) for name, kind in _fine(space).items()}
    return {**params, **choices, **steps}


def _worst_values(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Returns the worst value of each objective among complete trials; () if no trial needs it."""
    complete = [trial.values for trial in trials if trial.state == "complete"]
    if not complete or not any(trial.state == "stopped" for trial in trials):
        return ()
    losses = pareto.losses(complete, objectives).max(axis=0)
    signs = pareto.losses([[1.0] * len(losses)], objectives)[0]
    return tuple(float(value) for value in losses * signs)

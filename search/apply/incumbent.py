"""Incumbent: the best known configuration of a task, trained again before anything new is tried.

A search of a task that was searched before begins with it: it shows that library, data and hardware
still are what they were, what the best is worth today, and how much an objective varies. Of the
configurations within noise of the best the cheapest is taken. Where the new values lie outside of
what the record allows, prior trials of the task count as those of another task, by rank.

Sources: Breiman et al. 1984, "Classification and regression trees", section 3.4.3 (of what is
within one standard error of the best, the simplest); a single value is compared with a mean by
Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from search.apply.objective_model import ObjectiveModel
from search.apply.proposal_source import Context, Proposal, names_of, origin
from search.apply.scores import complete_losses
from search.experience import Noise
from search.extract.noise import FEWEST_REPEATS
from search.extract.objective_matrix import FEWEST_TRIALS
from search.history import Trial
from search.history.revalidation import CONFIRM, Revalidation
from search.objectives import Objective, pareto
from search.objectives.roles import lexicographic_of
from search.space import SearchSpace, Value

# A record that holds is called gone in one of so many cases at most if noise is known. Not 0.05:
# the best of 30 is on record because it also was lucky, by 1.5 standard deviations on average, and
# then a limit for 0.05 would be exceeded in one of nine cases, this one in one of fifty.
FALSE_ALARM = 0.01
# Without known noise, a record is gone only if the new value is among the worst tenth of the task's
# trials: on a task where all differences are noise that happens in one of ten cases.
WORST_SHARE = 0.1
# Values that never changed still differ between devices, in the last digits of 32-bit floats.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Known:
    """A configuration of a task with what its complete trials reached.

    Attributes:
        trials: The trials.
        values: Their mean values of the searched objectives.
        seconds: Their mean time; infinite if one of them has none.
    """

    trials: tuple[Trial, ...]
    values: tuple[float, ...]
    seconds: float

    @property
    def configuration(self) -> Mapping[str, Value]:
        """The configuration."""
        return self.trials[0].configuration

    @property
    def newest(self) -> Trial:
        """The trial that stands for the record."""
        return self.trials[-1]


class Incumbent:
    """A source: proposes the best known configuration of the task once, and then nothing."""

    def __init__(
        self, same_task: Sequence[Trial], noises: Sequence[Noise], space: SearchSpace
    ) -> None:
        """Makes a source; it chooses at its first proposal.

        Args:
            same_task: Prior trials of this task with comparable values.
            noises: The noise of objectives on this task, as far as known.
            space: The target space.
        """
        self._same_task = [each for each in same_task if each.state == "complete"]
        self._noises = {each.objective: each for each in noises}
        self._space = space
        self._chosen: tuple[Known, Revalidation] | None = None
        self._has_chosen = False

    def propose(self, context: Context) -> Proposal | None:
        """Returns the incumbent, unless this search has tried it."""
        chosen = self.chosen(context.objectives, context.objective_model)
        if chosen is None or context.asked.holds(context.space, chosen[0].configuration):
            return None
        known, revalidation = chosen
        made = origin(
            CONFIRM, runs=[known.newest.run_id], tasks={known.newest.task: 1.0},
            prior_trials=len(self._same_task),
        )  # fmt: skip
        return Proposal(known.configuration, made | {"revalidates": revalidation.as_record()})

    def chosen(
        self, objectives: Sequence[Objective], model: ObjectiveModel | None
    ) -> tuple[Known, Revalidation] | None:
        """Returns the incumbent and what it is expected to reach; None if none is feasible."""
        if not self._has_chosen:
            is_lexicographic = model is not None and lexicographic_of(model.objectives) is not None
            known = self._best(objectives, is_lexicographic)
            self._chosen = None if known is None else (known, self._record(known, objectives))
            self._has_chosen = True
        return self._chosen

    def trained_again(self, context: Context) -> Trial | None:
        """Returns the complete trial of this search that trained the incumbent, if there is one."""
        chosen = self.chosen(context.objectives, context.objective_model)
        if chosen is None:
            return None
        key = self._space.key(chosen[0].configuration)
        return next(
            (
                trial
                for trial in context.trials
                if trial.state == "complete" and self._space.key(trial.configuration) == key
            ),
            None,
        )

    def is_gone(self, context: Context) -> bool:
        """Whether the incumbent was trained again and lies outside of what its record allows."""
        trial = self.trained_again(context)
        if trial is None or self._chosen is None:
            return False
        values = dict(zip(names_of(context.objectives), trial.values, strict=True))
        return bool(self._chosen[1].departed(values))

    def _best(self, objectives: Sequence[Objective], is_lexicographic: bool) -> Known | None:
        """Returns the cheapest configuration within noise of the best one.

        The best is the one of the front with the best first value, which the report names first. Of
        a lexicographic objective the tolerance is a constraint, and the second value decides.
        """
        feasible = [
            trial
            for trial in self._same_task
            if trial.is_exact and not trial.violation and self._space.contains(trial.configuration)
        ]
        groups: dict[str, list[Trial]] = {}
        for trial in feasible:
            groups.setdefault(self._space.key(trial.configuration), []).append(trial)
        known = [_known(group) for group in groups.values()]
        if not known:
            return None
        losses = complete_losses(
            [each.values for each in known], [0.0] * len(known), objectives
        )[:, int(is_lexicographic) :]  # fmt: skip
        deviations = [self._deviation(name) for name in names_of(objectives)][is_lexicographic:]
        front = np.flatnonzero(pareto.front(losses))
        best = min(front.tolist(), key=lambda row: (*losses[row], known[row].seconds))
        near = (losses <= losses[best] + np.array(deviations)).all(axis=1)
        near[best] = True
        return min(
            (known[row] for row in np.flatnonzero(near)),
            key=lambda each: (each.seconds, each is not known[best]),
        )

    def _record(self, known: Known, objectives: Sequence[Objective]) -> Revalidation:
        expected = dict(zip(names_of(objectives), known.values, strict=True))
        accepted = {}
        for column, (name, objective) in enumerate(zip(expected, objectives, strict=True)):
            bounds = self._accepted(known, column, name, objective)
            if bounds is not None:
                accepted[name] = bounds
        return Revalidation(f"{known.newest.search}#{known.newest.number}", expected, accepted)

    def _accepted(
        self, known: Known, column: int, name: str, objective: Objective
    ) -> tuple[float, float] | None:
        value, noise = known.values[column], self._noises.get(name)
        if noise is not None and noise.repeats >= FEWEST_REPEATS:
            quantile = float(t.ppf(1 - FALSE_ALARM / 2, noise.repeats))
            distance = quantile * noise.deviation * math.sqrt(1 + 1 / len(known.trials))
            distance = max(distance, ROUNDING * abs(value))
            return value - distance, value + distance
        if len(self._same_task) < FEWEST_TRIALS:
            return None
        every = [trial.values[column] for trial in self._same_task]
        if objective.is_maximized:
            return float(np.quantile(every, WORST_SHARE)), math.inf
        return -math.inf, float(np.quantile(every, 1 - WORST_SHARE))

    def _deviation(self, name: str) -> float:
        return self._noises[name].deviation if name in self._noises else 0.0


def _known(trials: Sequence[Trial]) -> Known:
    means = np.mean([trial.values for trial in trials], axis=0)
    seconds = [trial.seconds if trial.seconds > 0 else math.inf for trial in trials]
    return Known(tuple(trials), tuple(means.tolist()), float(np.mean(seconds)))

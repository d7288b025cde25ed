"""PriorData: history for one search, split into trials of its own task and models of the others.

The history is restated for the search before (`review/reconcile.py`). A launch makes `PriorData`
once, and its driver gets it with the plan. Not for the models themselves (`task_models.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from search.apply.objective_model import objective_model_of, with_task_constraints
from search.apply.task_models import TaskModel, task_models
from search.experience import Noise
from search.extract.costs import Costs, costs_of
from search.extract.failures import Outcomes, outcomes_of, representative
from search.extract.noise import noises_of
from search.history import Trial
from search.history.revalidation import changes_of, is_before
from search.objectives import Objective
from search.objectives.roles import is_plain, searched
from search.review import Reconciled
from search.space import SearchSpace

# So many of the newest trials of other tasks tell what a trial costs: some fifty for each of the
# about 200 coefficients of a space with twenty encoded columns. Encoding all of 100,000 takes
# several seconds and, with their products, hundreds of megabytes.
COSTS_KEPT = 10_000


@dataclass(frozen=True)
class PriorData:
    """The part of history that a search uses.

    Attributes:
        same_task: Prior trials of its own task with comparable values.
        tasks: Models of other tasks; the own one before a change is one of them.
        skipped_tasks: Other task -> why there is no model of it.
        left_out: Reason -> number of prior trials that could not be used.
        noises: The noise of the searched objectives on its own task, as far as known.
        costs: The known costs of the newest trials of other tasks; None or empty if there are none.
        noisy_tasks: Other tasks whose results do not predict each other.
        failures: How trials of other tasks ended; None or empty if there are none.
    """

    same_task: tuple[Trial, ...] = ()
    tasks: tuple[TaskModel, ...] = ()
    skipped_tasks: Mapping[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    noises: tuple[Noise, ...] = ()
    costs: Costs | None = None
    noisy_tasks: tuple[TaskModel, ...] = ()
    failures: Outcomes | None = None


def prior_data(
    reconciled: Reconciled,
    space: SearchSpace,
    objectives: Sequence[Objective],
    *,
    task: str | None,
    similarities: Mapping[str, float],
    has_models: bool = True,
) -> PriorData:
    """Splits history by task and models the other tasks, in about 20 ms a task and objective.

    Args:
        reconciled: History, restated in the space and for the objectives.
        space: The target space.
        objectives: The target objectives.
        task: The target task; with None no trial is known to be of the same task.
        similarities: Earlier search -> similarity of its task, where it is known.
        has_models: Whether other tasks are modelled; if not, they are not used.
    """
    model = None if is_plain(objectives) else objective_model_of(objectives)
    usable = with_task_constraints(reconciled.trials, model)
    same = [trial for trial in usable if _is_same(trial, task)]
    before, same = _split_by_change(same)
    others = [trial for trial in usable if not _is_same(trial, task)] + _before_a_change(before)
    others = others if has_models else []
    of_task: dict[str, float] = {}
    for trial in others:
        if trial.search in similarities:
            of_task[trial.task] = max(of_task.get(trial.task, 0.0), similarities[trial.search])
    found = task_models(others, space, searched(objectives), of_task)
    return PriorData(
        _without_curves(same), _small(found.models), found.left_out, reconciled.left_out,
        noises_of(same, searched(objectives), task or ""),
        costs_of(others[-COSTS_KEPT:], space),
        _small(found.noisy), outcomes_of(representative(others), space),
    )  # fmt: skip


def without_same_task(
    prior: PriorData, space: SearchSpace, objectives: Sequence[Objective]
) -> PriorData:
    """Returns history after a change: what was of the same task counts as another task, by rank."""
    before = _before_a_change(prior.same_task)
    found = task_models(before, space, objectives, {each.task: 1.0 for each in before})
    outcomes = outcomes_of(representative(before), space)
    return replace(
        prior, same_task=(), noises=(), tasks=(*prior.tasks, *found.models),
        noisy_tasks=(*prior.noisy_tasks, *found.noisy),
        skipped_tasks={**prior.skipped_tasks, **found.left_out},
        failures=outcomes if prior.failures is None else prior.failures + outcomes,
    )  # fmt: skip


def _before_a_change(trials: Sequence[Trial]) -> list[Trial]:
    """Returns trials of a task from before a change as those of another task."""
    return [replace(trial, task=f"{trial.task} before a change") for trial in trials]


def _split_by_change(same: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Splits trials of a task: of before its best known one did not reach its record, and since."""
    changes = [change for each in changes_of(same).values() for change in each]
    parts: tuple[list[Trial], list[Trial]] = ([], [])
    for trial in same:
        parts[not any(is_before(trial, change) for change in changes)].append(trial)
    return parts


def _small(tasks: Iterable[TaskModel]) -> tuple[TaskModel, ...]:
    return tuple(replace(each, trials=_without_curves(each.trials)) for each in tasks)


def _without_curves(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Returns trials without curves: no model uses them, and the driver would be sent them all."""
    return tuple(replace(trial, curves={}) for trial in trials)


def _is_same(trial: Trial, task: str | None) -> bool:
    return trial.task == task and not trial.is_by_rank

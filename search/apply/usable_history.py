"""What of history a sampler can use: trials of its very task as they are, and those of other tasks.

History comes restated in the target's space (`review/reconcile.py`); here it is told apart by task,
and other tasks are compared with this one. Not for models of them: these are `past_tasks.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from search.apply.constraints import steered
from search.apply.joined_space import join, observed
from search.apply.steering import Steering
from search.extract.similarity import compare
from search.history import History, Trial
from search.objectives import Objective
from search.review import reconcile
from search.space import SearchSpace


@dataclass(frozen=True)
class Known:
    """History, and what is known of the task that may learn from it.

    Attributes:
        history: Earlier trials.
        task: The target task; with None nothing is known to be of the same task.
        fingerprint: What the task is made of; empty if unknown.
    """

    history: History
    task: str | None
    fingerprint: Mapping[str, Any]


@dataclass(frozen=True)
class Usable:
    """What of history counts in a space.

    Attributes:
        same_task: Prior trials of the target task with comparable values.
        other_tasks: The other prior trials.
        similarities: Other task -> similarity, where there is something to compare.
        left_out: Reason -> number of prior trials that could not be used.
    """

    same_task: list[Trial]
    other_tasks: list[Trial]
    similarities: dict[str, float]
    left_out: Counter[str]


def usable_in(
    space: SearchSpace,
    known: Known,
    objectives: Sequence[Objective],
    steering: Steering | None,
) -> Usable:
    """Tells history apart for one space.

    Args:
        space: The target's.
        known: History and task.
        objectives: Of the study; without metrics if it does not name them.
        steering: What roles mean; it knows the objectives better than the study, which lacks the
            constraints. None without roles.
    """
    if steering is not None:
        objectives = steering.objectives
    reconciled = reconcile(known.history, space, objectives)
    evidence = steered(reconciled.trials, steering)
    same = [trial for trial in evidence if _is_same(trial, known.task)]
    others = [trial for trial in evidence if not _is_same(trial, known.task)]
    return Usable(same, others, _similarities(others, known), reconciled.left_out)


def observed_space(history: History, study: optuna.Study) -> SearchSpace:
    """History's space until a study has finished trials, and then what these asked for."""
    spaces = [search.space for search in history.searches.values() if search.space]
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return observed(join(spaces) if spaces else None, finished)


def _is_same(trial: Trial, task: str | None) -> bool:
    return trial.task == task and not trial.is_by_rank


def _similarities(others: Sequence[Trial], known: Known) -> dict[str, float]:
    if not known.fingerprint:
        return {}
    found: dict[str, float] = {}
    for task, search in dict.fromkeys((trial.task, trial.search) for trial in others):
        entry = known.history.searches.get(search)
        theirs = entry.fingerprint if entry else {}
        alike = compare(known.task or "", known.fingerprint, task, theirs).value
        found[task] = max(found.get(task, 0.0), alike)
    return found

"""Turn history into experience: select the relevant searches and run the methods on them.

Each method is one file of this folder and independent of the others. Importance uses the most
similar searches; the other methods use searches of the same task only, if these suffice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from search.experience import (
    Best,
    Experience,
    Importance,
    ImportanceAgreement,
    LeftOut,
    RelevantSearch,
)
from search.extract.importance import importance_agreement, importance_in, importances
from search.extract.noise import noises
from search.extract.objective_correlation import objective_correlations
from search.extract.objective_matrix import FEWEST_TRIALS, ObjectiveMatrix, objective_matrix
from search.extract.regions import regions
from search.extract.task_similarity import RELEVANT, Similarity, similarities_of
from search.history import History, Trial
from search.objectives import Objective
from search.objectives.roles import counts_robustness
from search.review.doubtful import judged
from search.space import SearchSpace

# Importance is expensive (63 s for all of 100 searches of 100 trials), so it uses the most similar
# searches, the larger first, and at most two per task: more of one task add little, and other tasks
# show whether tasks agree.
IMPORTANCE_SEARCHES = 6
IMPORTANCE_SEARCHES_OF_A_TASK = 2


def learn(
    history: History,
    space: SearchSpace,
    *,
    task: str,
    fingerprint: Mapping[str, Any],
    objectives: Sequence[Objective],
    excludes_doubtful: bool | None = None,
) -> Experience:
    """Returns what history teaches about a task; the order of history's rows does not matter.

    Args:
        history: Earlier trials of any task; may be empty or malformed.
        space: The new search's space; other hyperparameters are left out.
        task: The id of its task.
        fingerprint: The task's fingerprint, see `task_similarity.compare_tasks`.
        objectives: The new search's objectives.
        excludes_doubtful: Whether its trials fail whose robust accuracy is in doubt; earlier ones
            count as they would there. None is a spec's default.
    """
    if excludes_doubtful is None:
        excludes_doubtful = counts_robustness(objectives)
    by_search = _by_search(history, excludes_doubtful)
    alike = similarities_of(history, task, fingerprint)
    relevant, single, left_out = _select(by_search, alike, objectives, history.renames.metrics)
    nearest = _nearest(relevant, alike)
    spoken, importance_agreements = _importances(history, single, alike, objectives, space)
    return Experience(
        task=task,
        similarities={name: each.value for name, each in alike.items()},
        searches=_describe(by_search, relevant, single, alike, objectives),
        importances=spoken,
        importance_agreements=importance_agreements,
        regions=regions(nearest, space),
        objective_correlations=objective_correlations(nearest, objectives),
        noises=noises(single, objectives, task),
        left_out=(
            *(LeftOut(row.run_id, row.name, row.reason) for row in history.rejected),
            *left_out,
        ),
    )


def _by_search(history: History, excludes_doubtful: bool) -> dict[str, list[Trial]]:
    by_search: dict[str, list[Trial]] = {}
    trials = (
        judged(trial, excludes_doubtful=excludes_doubtful)
        for trial in history.prior_trials(state=None)
    )
    for trial in sorted(
        trials, key=lambda each: (each.search, each.number or 0, each.run_id or "")
    ):
        by_search.setdefault(trial.search, []).append(trial)
    return by_search


def _select(
    by_search: Mapping[str, Sequence[Trial]],
    alike: Mapping[str, Similarity],
    objectives: Sequence[Objective],
    renamed: Collection[str],
) -> tuple[dict[str, ObjectiveMatrix], dict[str, list[ObjectiveMatrix]], list[LeftOut]]:
    """Selects the relevant searches, the most similar first.

    Returns:
        Search -> the trials that measured every objective; search -> for each objective the trials
        that measured it; and the complete trials left out.
    """
    relevant: dict[str, ObjectiveMatrix] = {}
    single: dict[str, list[ObjectiveMatrix]] = {}
    left_out: list[LeftOut] = []
    for name in sorted(by_search, key=lambda name: (-alike[name].value, name)):
        if alike[name].value < RELEVANT:
            left_out += _unlike(by_search[name])
            continue
        parts = [
            objective_matrix(by_search[name], [objective], renamed) for objective in objectives
        ]
        left_out += _useless(parts)
        if any(map(len, parts)):
            relevant[name] = objective_matrix(by_search[name], objectives, renamed)
            single[name] = parts
    return relevant, single, left_out


def _unlike(trials: Sequence[Trial]) -> list[LeftOut]:
    return [
        LeftOut(
            trial.run_id,
            f"{trial.search}/{trial.number}",
            "its task is too different to describe this one",
        )
        for trial in trials
        if trial.state == "complete"
    ]


def _useless(parts: Sequence[ObjectiveMatrix]) -> list[LeftOut]:
    """Returns the trials left out for every objective, each with its first reason."""
    problems = [{row.run_id: row for row in part.left_out} for part in parts]
    return [
        row for run_id, row in problems[0].items() if all(run_id in each for each in problems[1:])
    ]


def _nearest(
    relevant: Mapping[str, ObjectiveMatrix], alike: Mapping[str, Similarity]
) -> Mapping[str, ObjectiveMatrix]:
    same = {name: part for name, part in relevant.items() if alike[name].value == 1.0}
    return same if any(len(part) >= FEWEST_TRIALS for part in same.values()) else relevant


def _describe(
    by_search: Mapping[str, Sequence[Trial]],
    relevant: Mapping[str, ObjectiveMatrix],
    single: Mapping[str, Sequence[ObjectiveMatrix]],
    alike: Mapping[str, Similarity],
    objectives: Sequence[Objective],
) -> tuple[RelevantSearch, ...]:
    return tuple(
        RelevantSearch(
            id=name,
            task=by_search[name][0].task,
            is_same_task=alike[name].value == 1.0,
            similarity=alike[name].value,
            reasons=alike[name].reasons,
            trials=max(map(len, single[name])),
            best=tuple(
                _best(objective.metric, each)
                for objective, each in zip(objectives, single[name], strict=True)
                if len(each)
            ),
        )
        for name in relevant
    )


def _best(metric: str, part: ObjectiveMatrix) -> Best:
    index = int(part.losses[:, 0].argmin())
    trial = part.trials[index]
    # Under its own name: a robust accuracy under another threat is another metric.
    own = trial.counterpart(metric) or metric
    own += " (in its search's direction)" if part.turned[index, 0] else ""
    return Best(own, float(part.values[index, 0]), trial.run_id)


def _importances(
    history: History,
    single: Mapping[str, Sequence[ObjectiveMatrix]],
    alike: Mapping[str, Similarity],
    objectives: Sequence[Objective],
    space: SearchSpace,
) -> tuple[tuple[Importance, ...], tuple[ImportanceAgreement, ...]]:
    """Returns the importances of this space's hyperparameters, and how far tasks agree on them."""
    found: list[Importance] = []
    importance_agreements: list[ImportanceAgreement] = []
    for column, objective in enumerate(objectives):
        parts = _for_importance({name: each[column] for name, each in single.items()}, alike)
        shares = {
            name: importance_in(part, _space_of(history, name, space))
            for name, part in parts.items()
        }
        similarities = {name: alike[name].value for name in parts}
        entries = importances(parts, shares, similarities, objective.metric)
        found += [entry for entry in entries if entry.hyperparameter in space.distributions]
        tasks = {name: part.trials[0].task for name, part in parts.items()}
        agreed = importance_agreement(shares, tasks, objective.metric)
        importance_agreements += [agreed] if agreed is not None else []
    return tuple(found), tuple(importance_agreements)


def _for_importance(
    measured: Mapping[str, ObjectiveMatrix], alike: Mapping[str, Similarity]
) -> dict[str, ObjectiveMatrix]:
    """Chooses the searches for importance: the most similar first, of equals the larger."""
    chosen: dict[str, ObjectiveMatrix] = {}
    of_task: dict[str, int] = {}
    for name in sorted(measured, key=lambda each: (-alike[each].value, -len(measured[each]), each)):
        part = measured[name]
        task = part.trials[0].task if part.trials else ""
        is_wanted = (
            len(chosen) < IMPORTANCE_SEARCHES
            and of_task.get(task, 0) < IMPORTANCE_SEARCHES_OF_A_TASK
        )
        if len(part) >= FEWEST_TRIALS and is_wanted:
            chosen[name] = part
            of_task[task] = of_task.get(task, 0) + 1
    return chosen


def _space_of(history: History, search: str, space: SearchSpace) -> SearchSpace:
    found = history.searches.get(search)
    return found.space if found is not None and found.space is not None else space

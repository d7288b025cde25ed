"""Learning keeps its sources, counts what it leaves out, and accepts any history."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution

from search.experience import Experience
from search.extract import learn
from search.extract.describe import lines
from search.history import History, Rejected
from search.history.renaming import Renames
from search.objectives import Objective
from search.space import SearchSpace
from tests.support.synthetic_history import (
    BOTH,
    CLEAN,
    FINGERPRINT,
    ROBUST,
    SPACE,
    TASK,
    history,
    points,
    row,
    rows_of_random_search,
    search,
)


def learned(known: History, **changes: Any) -> Experience:
    arguments: dict[str, Any] = {
        "task": TASK, "fingerprint": FINGERPRINT, "objectives": BOTH,
    } | changes  # fmt: skip
    return learn(known, SPACE, **arguments)


TWO = history(
    rows_of_random_search("a", 40, 1) + rows_of_random_search("b", 40, 2),
    [search("a"), search("b")],
    [Rejected("x", "003 z", "its search 'z' has no summary run")],
)


@pytest.mark.slow
def test_it_learns_the_structure_of_the_synthetic_task() -> None:
    found = learned(TWO)
    first = {entry.objective: entry.hyperparameter for entry in reversed(found.importances)}
    assert first[ROBUST] == "adversarial_share"
    assert {search.id: search.similarity for search in found.searches} == {"a": 1.0, "b": 1.0}
    region = next(each for each in found.regions if each.hyperparameter == "adamw.learning_rate")
    assert region.low is not None and region.high is not None
    assert region.low < 10**-2.5 < region.high
    assert found.objective_correlations[0].correlation < 0
    assert found.reasons() == {"its search 'z' has no summary run": 1}
    assert Experience.from_json(found.to_json()) == found
    assert 5 <= len(lines(found)) <= 12


@pytest.mark.slow
def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = History(TWO.trials.take(list(reversed(range(80)))), TWO.searches, TWO.rejected)
    assert learned(shuffled) == learned(TWO)


@pytest.mark.slow
def test_every_result_names_runs_or_searches_that_exist() -> None:
    found = learned(TWO)
    runs = {trial.run_id for trial in TWO.prior_trials()}
    assert {best.run_id for search in found.searches for best in search.best} <= runs
    assert {run for region in found.regions for run in region.runs} <= runs
    assert all(
        entry.searches
        for entry in (*found.importances, *found.regions, *found.objective_correlations)
    )


def test_the_best_of_each_objective_follows_its_direction() -> None:
    rows = [row(0, [0.9, 0.1]), row(1, [0.5, 0.7])]
    (only,) = learned(history(rows, [search()])).searches
    assert [(best.value, best.run_id) for best in only.best] == [(0.9, "cold-0"), (0.7, "cold-1")]
    rows = [row(0, [2.0], objectives=["loss"], directions=["minimize"]),
            row(1, [1.0], objectives=["loss"], directions=["minimize"])]  # fmt: skip
    found = learned(history(rows), objectives=[Objective("loss", "minimize")])
    assert found.searches[0].best[0].value == 1.0


def test_trials_of_a_foreign_task_are_left_out_with_a_reason() -> None:
    foreign = search("f", task="sst2@1", fingerprint={"data": {"name": "sst2", "kind": "text",
                     "classes": 2, "shape": [64]}, "model": "transformer"})  # fmt: skip
    found = learned(history([row(0, [0.9, 0.5], search="f", task="sst2@1")], [foreign]))
    assert found.is_empty
    assert found.reasons() == {"its task is too different to describe this one": 1}


@pytest.mark.slow
def test_a_similar_task_is_used_if_the_same_one_has_too_few_trials() -> None:
    near = FINGERPRINT | {"data": FINGERPRINT["data"] | {"name": "mnist", "digest": "d2"}}
    rows = [*rows_of_random_search("near", 30, 1, task="mnist@1"), row(0, [0.9, 0.5])]
    known = history(rows, [search("near", task="mnist@1", fingerprint=near), search()])
    found = learned(known)
    assert [each.id for each in found.searches] == ["cold", "near"]
    assert found.regions and set(found.regions[0].searches) == {"near"}
    rows += rows_of_random_search("own", 30, 2)
    found = learned(history(rows, [*known.searches.values(), search("own")]))
    assert {name for region in found.regions for name in region.searches} == {"own"}


def test_a_search_that_measured_one_of_two_objectives_is_used_for_that_one() -> None:
    rows = [
        row(number, [0.1 * number], configuration={"optimizer": "sgd", "width": 8 + number})
        for number in range(9)
    ]
    found = learned(history(rows, [search(objectives=(Objective(CLEAN, "maximize"),))]))
    assert {entry.objective for entry in found.importances} == {CLEAN}
    assert found.searches[0].trials == 9
    assert not found.left_out and not found.regions and not found.objective_correlations


def test_an_opposite_direction_is_left_out() -> None:
    rows = [row(0, [0.9, 0.5], directions=["minimize", "minimize"])]
    found = learned(history(rows))
    assert found.is_empty and len(found.left_out) == 1


def test_the_best_value_of_a_renamed_error_is_its_lowest() -> None:
    rows = [
        row(number, [value], directions=["minimize"]) for number, value in enumerate((3.0, 1.0))
    ]
    changes = {"objectives": [Objective(CLEAN, "maximize")]}
    renamed = replace(history(rows), renames=Renames(metrics=frozenset({CLEAN})))
    (best,) = learned(renamed, **changes).searches[0].best
    assert (best.value, best.objective) == (1.0, f"{CLEAN} (in its search's direction)")
    assert learned(history(rows), **changes).is_empty


def test_a_repeated_configuration_gives_the_noise() -> None:
    twice = [row(0, [0.9, 0.5]), row(1, [0.92, 0.5], search="again")]
    clean, robust = learned(history(twice)).noises
    # By hand: the mean is .91, so the squares add up to 2 * .01**2, with one degree of freedom.
    assert clean.deviation == pytest.approx(math.sqrt(2) * 0.01)
    assert (clean.objective, clean.repeats, clean.searches) == (CLEAN, 1, ("again", "cold"))
    assert robust.deviation == 0.0


@pytest.mark.slow
def test_importance_uses_two_searches_per_task_and_six_in_all() -> None:
    tasks = {f"s{number}": f"mnist@{number // 3}" for number in range(12)}
    rows = [
        each
        for number, (name, task) in enumerate(tasks.items())
        for each in rows_of_random_search(name, 12 if number % 3 else 20, number, task=task)
    ]
    near = FINGERPRINT | {"data": FINGERPRINT["data"] | {"name": "mnist", "digest": "d2"}}
    searches = [search(name, task=task, fingerprint=near) for name, task in tasks.items()]
    found = learned(history(rows, searches))
    # Equally similar, so the larger first (s0, s3, s6, s9), then by name, two per task at most.
    speaking = {name for entry in found.importances for name in entry.searches}
    assert speaking == {"s0", "s3", "s6", "s9", "s1", "s10"}
    assert {entry.tasks for entry in found.importance_agreements} == {4}


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(0, [0.9, 0.5])],
        [row(0, [], state="failed")],
        [row(0, [math.nan, math.inf])],
        [row(0, [0.9, 0.5], configuration={})],
        [row(n, [0.9, 0.5], configuration={"optimizer": None, "width": [1]}) for n in range(12)],
        [row(n, [0.1 * n, 0.5], configuration={"optimizer": "lm", "width": ""}) for n in range(12)],
        [row(n, [0.1 * n, 0.5], configuration={"Width": n}) for n in range(12)],
        [row(n, [1.0, 2.0, 3.0], objectives=["x", "y", "z"]) for n in range(12)],
    ],
)  # fmt: skip
def test_a_malformed_history_is_tolerated(rows: list[dict[str, Any]]) -> None:
    found = learned(history(rows))
    assert lines(found)
    assert Experience.from_json(found.to_json()) == found


def test_optuna_studies_can_be_learned_from() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, n_trials=12)
    known = History.from_studies({"parabola": study}, ["minimize"])
    space = SearchSpace.from_distributions({"x": FloatDistribution(0, 1)})
    found = learn(known, space, task="parabola", fingerprint={"name": "parabola"},
                  objectives=[Objective("objective_0", "minimize")])  # fmt: skip
    assert found.searches[0].trials == 12
    assert found.regions[0].high is not None and found.regions[0].high < 0.6


@pytest.mark.parametrize(("excludes", "best"), [(None, 0.5), (True, 0.5), (False, 0.9)])
def test_a_value_in_doubt_teaches_nothing_where_such_trials_are_excluded(
    excludes: bool | None, best: float
) -> None:
    masked = points("robustness.vanished", {5: 0.99})
    rows = [row(0, [0.8, 0.9], curves=masked), row(1, [0.7, 0.5]), row(2, [0.7, 0.4])]
    found = learned(history(rows), excludes_doubtful=excludes)
    (search,) = found.searches
    assert [each.value for each in search.best if each.objective == ROBUST] == [best]
    assert search.trials == (3 if best == 0.9 else 2)

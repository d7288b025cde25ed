from __future__ import annotations

import math
import pickle
from typing import Any

import pyarrow as pa
import pytest

from search.history.table import TRIALS, trials_from_table
from search.history.trial import Trial, search_and_number
from search.objectives import Objective
from search.objectives.objective import from_lists


def goals(*metrics: str) -> tuple[Objective, ...]:
    return from_lists(metrics, ["maximize"] * len(metrics))


def prior(**changes: Any) -> Trial:
    fields: dict[str, Any] = {
        "task": "t", "search": "s", "number": 0, "run_id": "r", "state": "complete",
        "configuration": {}, "objectives": goals("accuracy.clean", "accuracy.pgd10_linf_0.1"),
        "values": (0.9, 0.5), "epoch": 3,
        "curves": {"seconds.train": {1: 5.0, 3: 4.0}}, "origin": {},
    }  # fmt: skip
    return Trial(**(fields | changes))


def test_a_trial_is_named_by_its_search_and_its_number() -> None:
    assert search_and_number("digits-1123-0915-a1b2#7") == ("digits-1123-0915-a1b2", 7)
    assert search_and_number("a name with spaces#012") == ("a name with spaces", 12)
    assert search_and_number("digits-1123") == ("digits-1123", None)


@pytest.mark.parametrize("name", ["digits#", "#7", "digits#x", "a#b#7", "digits#-1", "digits# 7"])
def test_what_only_looks_like_the_name_of_a_trial_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no trial; fix: write SEARCH#TRIAL"):
        search_and_number(name)


def test_robust_accuracy_under_another_threat_is_the_counterpart() -> None:
    trial = prior()
    assert trial.counterpart("accuracy.pgd10_linf_8_255") == "accuracy.pgd10_linf_0.1"
    assert trial.value_of("accuracy.pgd20x2_l2_0.5") == 0.5
    assert trial.value_of("accuracy.clean") == 0.9


def test_clean_accuracy_and_fgsm_are_no_counterpart_of_robust_accuracy() -> None:
    assert prior().counterpart("accuracy.fgsm_linf_0.1") is None
    assert math.isnan(
        prior(objectives=goals("accuracy.clean", "loss")).value_of("accuracy.pgd5_l2_1")
    )


def test_the_same_threat_comes_before_another_of_the_same_role() -> None:
    both = goals("accuracy.pgd10_linf_0.2", "accuracy.pgd10_linf_0.1")
    trial = prior(objectives=both, values=(0.2, 0.6))
    assert trial.value_of("accuracy.pgd10_linf_0.1") == 0.6
    assert trial.counterpart("accuracy.pgd10_linf_0.3") is None, "two candidates are none"


def test_a_metric_that_was_no_objective_counts_with_its_last_epoch() -> None:
    assert prior().value_of("seconds.train") == 4.0


def points(**curves: dict[int, float | None]) -> list[dict[str, Any]]:
    return [
        {"metric": metric, "epoch": epoch, "value": value}
        for metric, curve in curves.items()
        for epoch, value in curve.items()
    ]


def table_of(*curves: list[dict[str, Any]] | None) -> pa.Table:
    rows = [
        {"task": "t", "search": "s", "number": number, "run_id": str(number), "state": "stopped",
         "configuration": "{}", "objectives": [], "directions": [], "values": [], "curves": each}
        for number, each in enumerate(curves)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TRIALS)


def test_curves_are_the_rows_own_whatever_the_tables_chunks_and_gaps() -> None:
    first = table_of(points(loss={1: 0.5, 2: 0.25}), None, [])
    second = table_of(points(), points(accuracy={7: 0.75}, loss={7: None}))
    table = pa.concat_tables([first, second.slice(1), first.slice(0, 1)])
    curves = [trial.curves for trial in trials_from_table(table)]
    assert curves[:3] == [{"loss": {1: 0.5, 2: 0.25}}, {}, {}]
    assert curves[3]["accuracy"] == {7: 0.75} and math.isnan(curves[3]["loss"][7])
    assert curves[4] == {"loss": {1: 0.5, 2: 0.25}}
    assert [len(each) for each in curves] == [1, 0, 0, 2, 1]


def test_a_pickled_trial_takes_its_own_curves_along_and_no_others() -> None:
    many = table_of(points(loss={1: 0.5}), *[points(loss={n: 1.0 for n in range(999)})] * 50)
    trial = trials_from_table(many)[0]
    assert len(pickle.dumps(trial)) < 1_000
    assert pickle.loads(pickle.dumps(trial)) == trial


def test_no_rows_are_no_trials() -> None:
    assert trials_from_table(TRIALS.empty_table()) == []

"""PriorData: what of a task counts as it is, and what was trained before a change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from search.apply import prior_data as module
from search.apply.prior_data import PriorData, prior_data
from search.extract.failures import outcomes_of
from search.history.causes import IN_DOUBT
from search.review import reconcile
from tests.support.synthetic_history import BOTH, CLEAN, SPACE, START, TASK, history, row

GOAL = BOTH[:1]


def trials(search: str, count: int, hours: int, **changes: Any) -> list[dict[str, Any]]:
    generator = np.random.default_rng(hours)
    return [
        row(number, [0.5 + number / 100], search=search, started=START + timedelta(hours=hours),
            configuration=SPACE.random_configuration(generator), **changes)
        for number in range(count)
    ]  # fmt: skip


def prior_of(rows: list[dict[str, Any]]) -> PriorData:
    found = reconcile(history(rows), SPACE, GOAL)
    return prior_data(found, SPACE, GOAL, task=TASK, similarities={})


@pytest.mark.parametrize("value", [0.79, 0.5])
def test_trials_of_before_a_lost_record_count_as_those_of_another_task(value: float) -> None:
    record = {"trial": "first#9", "expected": {CLEAN: 0.8}, "accepted": {CLEAN: [0.75, 0.85]}}
    again = row(
        0, [value], search="second", started=START + timedelta(hours=1),
        configuration=SPACE.random_configuration(np.random.default_rng(9)),
        origin={"step": "confirm", "revalidates": record},
    )  # fmt: skip
    prior = prior_of([*trials("first", 10, 0), again, *trials("third", 3, 2)])
    same = {trial.search for trial in prior.same_task}
    if value == 0.79:
        assert same == {"first", "second", "third"} and not prior.tasks
        return
    assert same == {"second", "third"}
    assert [task.name for task in prior.tasks] == [f"{TASK} before a change"]
    assert {trial.search for trial in prior.tasks[0].trials} == {"first"}


def test_the_noise_of_the_task_is_known_to_its_search() -> None:
    rows = trials("first", 4, 0)
    again = rows[0] | {"run_id": "again", "number": 4, "values": [0.52]}
    (noise,) = prior_of([*rows, again]).noises
    assert (noise.objective, noise.repeats) == (CLEAN, 1)
    assert noise.deviation == pytest.approx(0.02 / 2**0.5)


def test_the_newest_trials_of_other_tasks_tell_the_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COSTS_KEPT", 4)
    old = trials("old", 5, 0, task="another", work=1e9)
    new = trials("new", 3, 1, task="another", work=1e12)
    costs = prior_of([*old, *new]).costs
    assert costs is not None
    assert np.exp(costs.logs) == pytest.approx([1e9, 1e12, 1e12, 1e12])


def test_a_search_that_keeps_values_in_doubt_has_no_failure_of_them_in_its_memory() -> None:
    doubt = {"state": "failed", "values": [], "reason": f"{IN_DOUBT}, and ...: outputs jump",
             "curves": [{"metric": CLEAN, "epoch": 5, "value": 0.9}]}  # fmt: skip
    rows = [each | (doubt if each["number"] < 5 else {}) for each in trials("first", 10, 0)]
    for excludes, failed in ((True, 5), (False, 0)):
        found = reconcile(history(rows), SPACE, GOAL, excludes_doubtful=excludes)
        same = prior_data(found, SPACE, GOAL, task=TASK, similarities={}).same_task
        assert int(outcomes_of(same, SPACE).has_failed.sum()) == failed
        other = prior_data(found, SPACE, GOAL, task="other", similarities={}).failures
        assert other is not None and int(other.has_failed.sum()) == failed
        assert [trial.values for trial in same].count((0.9,)) == 5 - failed

"""The numbers of a whole search, by which two searches are compared."""

from __future__ import annotations

from datetime import timedelta

import pytest

from search.objectives.objective import Role, from_lists
from search.transfer.costs import Cost
from search.transfer.totals import totals
from tests.support.synthetic_history import CLEAN, ROBUST, START, history, points, row, search


def test_the_totals_by_hand() -> None:
    rows = [
        row(0, [0.5, 0.5]),
        row(1, [0.7, 0.4], started=START + timedelta(seconds=5)),
        row(2, [], state="stopped", epoch=2, started=START + timedelta(seconds=60)),
        row(3, [], state="running", epoch=1),
    ]
    found = totals(history(rows, [search()]), "cold", Cost(2, "GPU"))
    assert found.states == {"complete": 2, "stopped": 1}
    assert (found.best, found.front) == ({CLEAN: 0.7, ROBUST: 0.5}, 2)
    # From (-0.1, -0.1): .8 * .5 + .6 * .1.
    assert found.hypervolume == pytest.approx(0.46)
    assert found.share_of_best_known == 1.0
    assert (found.epochs, found.trial_seconds, found.wall_seconds) == (12, 30.0, 70.0)
    assert (found.hours, found.hours_unit) == (pytest.approx(2 * 30 / 3600), "GPU-hours")


def test_the_best_known_front_is_that_of_all_searches_of_the_task_together() -> None:
    rows = [row(0, [0.5, 0.5]), row(0, [0.7, 0.4], search="this")]
    rows += [row(0, [1.0, 1.0], search="elsewhere", task="another@1")]
    this = search("this", started=START + timedelta(hours=1))
    known = history(rows, [search(), this, search("elsewhere", task="another@1")])
    assert totals(known, "this").share_of_best_known == pytest.approx(0.8 * 0.5 / 0.46)
    assert totals(known, "cold").share_of_best_known == pytest.approx(0.6 * 0.6 / 0.46)


def test_a_trial_in_doubt_of_another_search_is_best_known_only_to_one_that_keeps_such() -> None:
    jumps = points("robustness.jumps", {5: 0.5})
    rows = [row(0, [0.5, 0.5], search="exact"), row(0, [0.5, 1.0], search="keeps", curves=jumps)]
    known = history(rows, [search("exact"), search("keeps")])
    assert totals(known, "exact").share_of_best_known == 1.0
    assert totals(known, "keeps").share_of_best_known == 1.0
    # From one point, (-0.1, -0.1), whatever counts.
    assert totals(known, "exact").hypervolume == pytest.approx(0.6 * 0.6)
    assert totals(known, "keeps").hypervolume == pytest.approx(0.6 * 1.1)
    rows.append(row(0, [0.5, 0.6], search="too", curves=jumps))
    known = history(rows, [search("exact"), search("keeps"), search("too")])
    assert totals(known, "too").share_of_best_known == pytest.approx(0.7 / 1.1)


def test_a_search_without_a_complete_trial_has_no_best_and_no_share() -> None:
    found = totals(history([row(0, [], state="failed", epoch=1)], [search()]), "cold")
    assert (found.best, found.front, found.hypervolume) == ({}, 0, 0.0)
    assert found.share_of_best_known is None
    assert (found.hours, found.hours_unit) == (None, "")
    empty = totals(history([], [search()]), "cold")
    assert (empty.states, empty.wall_seconds) == ({}, 0.0)


def test_only_trials_that_keep_the_bounds_count() -> None:
    roles = from_lists(
        (CLEAN, ROBUST), ("maximize", "maximize"), (Role(), Role("constraint", bound=0.45))
    )
    rows = [row(0, [0.5, 0.5]), row(1, [0.9, 0.4])]
    found = totals(history(rows, [search(objectives=roles)]), "cold")
    assert found.hypervolume == pytest.approx(0.6)  # one objective is left: 0.5 + 0.1
    assert found.best == {CLEAN: 0.5, ROBUST: 0.5}


def test_the_work_of_a_search_is_that_of_all_its_trials_where_known() -> None:
    rows = [
        row(0, [0.5, 0.5], work=3e12),
        row(1, [], state="failed", work=1e12),
        row(2, [0.1, 0.1]),
    ]
    found = totals(history(rows, [search()]), "cold")
    assert found.work == found.as_metrics()["work"] == 4e12


def test_totals_are_metrics_by_name_and_unknown_ones_are_left_out() -> None:
    rows = [row(0, [0.5, 0.5]), row(1, [], state="stopped", epoch=2)]
    found = totals(history(rows, [search()]), "cold", Cost(2, "GPU")).as_metrics()
    assert found[f"best.{CLEAN}"] == 0.5 and found["best_trials"] == 1
    assert (found["trials"], found["trials.complete"], found["trials.stopped"]) == (2, 1, 1)
    assert found["trials.failed"] == found["trials.interrupted"] == 0
    assert found["hours.gpu"] == pytest.approx(2 * 20 / 3600)
    assert "work" not in found
    unknown = totals(history([], [search()]), "cold").as_metrics()
    assert not {name for name in unknown if name.startswith(("hours.gpu", "hours.core", "best."))}
    assert "share_of_best_known" not in unknown

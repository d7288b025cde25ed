"""The verdict counts trials, and claims no more than the runs support."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from search.__main__ import app
from search.history import History
from search.objectives import Objective
from search.spec import load_spec
from search.transfer.costs import Cost
from search.transfer.verdict import NO_EVIDENCE, verdict
from tests.support.launches import ROOT
from tests.support.synthetic_history import (
    CLEAN,
    START,
    history,
    points,
    row,
    search,
)


def one_objective(*searches: Sequence[float], is_warm: bool = True, **changes: Any) -> History:
    """The last one is "this"; the others are cold; `epochs` of this search may be changed."""
    goal: dict[str, Any] = {"objectives": (Objective(CLEAN, "maximize"),)}
    names = [f"cold-{index}" for index in range(len(searches) - 1)] + ["this"]
    rows = [
        row(number, [value], search=name)
        for name, values in zip(names, searches, strict=True)
        for number, value in enumerate(values)
    ]
    colds = [search(name, **goal) for name in names[:-1]]
    this = search("this", warm=is_warm, started=START + timedelta(hours=1), **goal, **changes)
    return history(rows, [*colds, this])


def test_two_objectives_by_hand() -> None:
    rows = [row(0, [0.5, 0.5]), row(1, [0.7, 0.4]), row(2, [0.4, 0.7])]
    rows += [row(0, [], search="this", state="failed", epoch=1), row(1, [0.7, 0.7], search="this")]
    this = search("this", warm=True, started=START + timedelta(hours=1))
    found = verdict(history(rows, [search(), this]), "this")
    # Both are shares: the reference is a tenth below 0.
    assert found.reference == pytest.approx((-0.1, -0.1))
    # From there the cold front is (.6, .6), (.8, .5), (.5, .8): .8 * .5 + .6 * .1 + .5 * .2.
    (only,) = found.comparisons
    assert only.level == pytest.approx(0.56)
    assert found.level == pytest.approx(0.8**2)
    assert (only.cold_reached, only.cold_trials, only.cold_epochs) == (3, 3, 15)
    assert (only.reached, only.epochs, only.trials_saved) == (2, 6, 1)
    assert found.trials_saved == 1
    assert found.sentence == (
        "This search needed 2 trials (6 epochs) to reach the level that the cold search cold "
        "reached after 3 of its 3 trials (15 epochs): it saved 1 trial. This compares just two "
        "searches, so the difference may be due to chance."
    )


def test_trials_are_counted_to_where_the_cold_search_got_there_itself() -> None:
    # Its last two trials added nothing, so they are not saved by anybody.
    found = verdict(one_objective([0.5, 0.9, 0.6, 0.7], [0.95]), "this")
    assert found.comparisons[0].cold_reached == 2
    assert found.trials_saved == 1


def test_a_search_that_took_longer_lost_trials() -> None:
    found = verdict(one_objective([0.9, 0.5], [0.5, 0.6, 0.9]), "this")
    assert found.trials_saved == -2
    assert "it lost 2 trials" in found.sentence


def test_a_search_that_never_got_there_saved_nothing() -> None:
    found = verdict(one_objective([0.5, 0.9], [0.5, 0.6, 0.7]), "this")
    assert found.trials_saved is None and found.comparisons[0].reached is None
    assert found.sentence.startswith("In 3 trials this search did not reach the level that the")


def test_two_cold_searches_give_a_median_and_no_range() -> None:
    found = verdict(one_objective([0.5, 0.6, 0.9], [0.5, 0.8], [0.9]), "this")
    assert found.trials_saved == 1.5
    assert "over the" not in found.sentence and "too few to state a range" in found.sentence


def test_three_cold_searches_give_a_range() -> None:
    found = verdict(one_objective([0.5, 0.6, 0.9], [0.5, 0.8], [0.7], [0.9]), "this")
    assert found.trials_saved == 1
    assert "reached the final level of 3 of 3" in found.sentence
    assert "it saved 1 trial (+0 to +2 over the 3; mean +1.0, " in found.sentence
    assert "This search was run once" in found.sentence


def test_three_cold_searches_give_students_interval_of_their_mean() -> None:
    found = verdict(one_objective([0.5, 0.6, 0.9], [0.5, 0.8], [0.7], [0.9]), "this")
    # Saved are 2, 1 and 0: mean 1, standard deviation 1; Student's t for 2 degrees is 4.303.
    half = 4.302653 / 3**0.5
    assert found.interval == pytest.approx((1 - half, 1 + half))
    assert "mean +1.0, 95 % t-interval -1.5 to +3.5)" in found.sentence


def test_cold_searches_that_agree_leave_the_rounding_error_of_a_count() -> None:
    found = verdict(one_objective([0.5, 0.9], [0.5, 0.9], [0.5, 0.9], [0.9]), "this")
    half = 4.302653 / (12 * 3) ** 0.5
    assert found.interval == pytest.approx((1 - half, 1 + half))


def test_a_level_that_was_never_reached_leaves_no_interval() -> None:
    known = one_objective([0.5, 0.6, 0.7], [0.5, 0.8], [0.6, 0.99], [0.9])
    found = verdict(known, "this", Cost(1, "core"))
    assert found.trials_saved == 1 and found.interval is None and found.hours_saved is None
    assert "interval" not in found.sentence


@pytest.mark.parametrize("keeps", [False, True])
def test_trials_in_doubt_of_a_cold_search_count_only_for_one_that_keeps_such(keeps: bool) -> None:
    jumps = points("robustness.jumps", {5: 0.5})
    rows = [
        row(0, [0.5, 0.5], search="sound"),
        row(0, [0.5, 0.5], search="both"), row(1, [0.5, 0.9], search="both", curves=jumps),
        row(0, [0.5, 0.8], search="doubtful", curves=jumps),
        row(0, [0.5, 0.5], search="this", curves=jumps if keeps else []),
    ]  # fmt: skip
    this = search("this", warm=True, started=START + timedelta(hours=1))
    colds = [search("sound"), search("both"), search("doubtful")]
    found = verdict(history(rows, [*colds, this]), "this").comparisons
    # From (-0.1, -0.1), by hand: 0.6 * 0.6, 0.6 * 1.0 and 0.6 * 0.9.
    expected = {"sound": 0.6, "both": 1.0 if keeps else 0.6} | ({"doubtful": 0.9} if keeps else {})
    assert {each.search: each.level / 0.6 for each in found} == pytest.approx(expected)


def test_hours_are_counted_along_with_trials_on_both_sides() -> None:
    # Ten seconds a trial on two GPUs: the third trial there against the first here.
    found = verdict(one_objective([0.5, 0.6, 0.9], [0.9]), "this", Cost(2, "GPU"))
    assert found.hours_saved == pytest.approx(2 * 20 / 3600) and found.hours_unit == "GPU-hours"
    assert "it saved 2 trials and 40 GPU-seconds." in found.sentence


def test_a_control_arm_is_compared_where_there_is_no_cold_search() -> None:
    origins = [{"step": "history-model"}, {"step": "control"}] * 2
    rows = [
        row(number, [value], search="this", origin=origin)
        for number, (value, origin) in enumerate(zip([0.9, 0.5, 0.6, 0.8], origins, strict=True))
    ]
    goal: dict[str, Any] = {"objectives": (Objective(CLEAN, "maximize"),)}
    found = verdict(history(rows, [search("this", warm=True, **goal)]), "this")
    assert found.control is not None and found.control.trials_saved == 1
    assert found.sentence.startswith(
        "Compared with the control arm of this search (2 trials without history"
    )


def test_a_warm_search_without_anything_measured_says_how_to_measure() -> None:
    found = verdict(one_objective([0.5, 0.9]), "this")
    assert found.sentence == (
        "There is nothing to compare with; fix: run the spec once with --cold, or with a control "
        "arm (--set sampler.options.control=5)."
    )
    assert found.trials_saved is None and found.level > 0


def test_the_ways_to_measure_that_the_verdict_names_exist() -> None:
    help_of_run = CliRunner().invoke(app, ["run", "--help"]).output
    assert "--cold" in help_of_run and "--set" in help_of_run
    setting = NO_EVIDENCE.partition("--set ")[2].partition(")")[0]
    spec = load_spec(ROOT / "search/specs/digits.yaml", [setting])
    assert spec.sampler.options["control"] == 5


def test_what_the_guard_did_ends_the_sentence() -> None:
    def guard(decision: str, evidence: float) -> dict[str, Any]:
        return {"step": "model", "guard": {"history": decision, "log_evidence": evidence}}

    origins = [guard("all", 0.5), guard("none", -2.3), guard("none", -2.3)]
    rows = [row(number, [0.5, 0.5], search="this", origin=origin)
            for number, origin in enumerate(origins)]  # fmt: skip
    found = verdict(history([*rows, row(0, [0.5, 0.4])], [search(), search("this", warm=True)]),
                    "this")  # fmt: skip
    assert found.guard.dropped_after == 0
    assert "History did not help and was dropped after trial 0:" in found.sentence
    assert json.loads(found.to_json())["guard"]["decisions"][1]["history"] == "none"


def test_levels_that_were_never_reached_count_as_worst_in_the_median() -> None:
    found = verdict(one_objective([0.5, 0.99], [0.5, 0.98], [0.5, 0.6], [0.9]), "this")
    assert found.trials_saved is None
    assert "1 of 3" in found.sentence and "no trial was saved" in found.sentence


def test_a_cold_search_credits_nothing_to_history() -> None:
    found = verdict(one_objective([0.5, 0.9], [0.9], is_warm=False), "this")
    assert "started cold too" in found.sentence


def test_other_numbers_of_epochs_are_a_caveat() -> None:
    found = verdict(one_objective([0.5, 0.9], [0.9], epochs=10), "this")
    assert "A full trial trained for 10 epochs here and for 5 there" in found.sentence


def test_minimised_objectives_are_compared_by_their_direction() -> None:
    goal: dict[str, Any] = {"objectives": (Objective("loss", "minimize"),)}
    lists = {"objectives": ["loss"], "directions": ["minimize"]}
    rows = [row(n, [value], **lists) for n, value in enumerate([3.0, 2.0, 1.0])]
    rows += [row(0, [0.5], search="this", **lists)]
    searches = [search(**goal), search("this", warm=True, **goal)]
    found = verdict(history(rows, searches), "this")
    assert found.trials_saved == 2
    assert found.reference == pytest.approx((3.25,))


def test_without_a_cold_search_there_is_nothing_to_compare_with() -> None:
    found = verdict(one_objective([0.9], is_warm=False), "this")
    assert found.sentence == "There is no earlier cold search of this task to compare with."
    assert found.trials_saved is None and found.level > 0


@pytest.mark.parametrize("state", [None, "failed", "stopped", "running"])
def test_without_a_complete_trial_there_is_nothing_to_compare(state: str | None) -> None:
    rows = [row(0, [], search="this", state=state)] if state else []
    for known in (
        history(rows, [search("this")]),
        history([*rows, row(0, [0.5, 0.5])], [search(), search("this")]),
    ):
        found = verdict(known, "this")
        assert found.sentence.startswith("No trial of this search is complete")
        assert json.loads(found.to_json())["trials_saved"] is None


def test_the_verdict_is_json_without_infinities() -> None:
    found = verdict(one_objective([0.5, 0.9], [0.6]), "this")
    record = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert record["comparisons"][0]["search"] == "cold-0"
    assert record["reference_rule"].startswith("the worst possible value of a share")

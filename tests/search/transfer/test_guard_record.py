"""The guard's record is read from the trials' origins; only what lasted to the end counts."""

from __future__ import annotations

from typing import Any

import pytest

from search.transfer.guard_record import Dropped, guard_record, guard_sentence
from search.transfer.progress import trials_of
from tests.support.synthetic_history import history, row, search

PORTFOLIO = {"step": "portfolio", "source_tasks": {"mnist": 1.0}}


def decided(decision: str, evidence: float = 1.0, *dropped: str) -> dict[str, Any]:
    return {
        "step": "model" if decision == "none" else "history-model",
        "guard": {"history": decision, "log_evidence": evidence, "trials": 3,
                  "dropped": dict.fromkeys(dropped, "it does not fit"), "agreement": {}},
    }  # fmt: skip


def done(*origins: Any) -> Any:
    rows = [row(number, [0.5, 0.5], origin=origin) for number, origin in enumerate(origins)]
    return guard_record(trials_of(history(rows, [search()]), "cold"))


def test_history_that_was_dropped_to_the_end_names_the_last_trial_that_had_it() -> None:
    found = done(PORTFOLIO, decided("all"), decided("all"), decided("none", -2.3, "mnist"),
                 decided("none", -2.3, "mnist"))  # fmt: skip
    assert found.dropped_after == 2
    assert guard_sentence(found) == (
        "History did not help and was dropped after trial 2: the results so far are against "
        "history by a factor of 10 (log evidence -2.3)."
    )


def test_what_was_used_again_was_not_dropped() -> None:
    found = done(decided("all"), decided("none", -2.0, "mnist"), decided("agreeing", 0.9))
    assert found.dropped_after is None
    assert guard_sentence(found).startswith("History was still in use at the end (in part): ")


def test_history_that_one_objective_still_uses_is_not_called_a_help_for_all() -> None:
    assert guard_sentence(done(decided("all", -3.0))) == (
        "History was still in use at the end (all of it), although the results so far "
        "are against history by a factor of 20 (log evidence -3.0)."
    )


def test_history_that_only_gave_the_portfolio_was_dropped_after_it() -> None:
    found = done(PORTFOLIO, PORTFOLIO, decided("none", -3.0, "mnist"))
    assert found.dropped_after == 1


def test_without_evidence_against_it_history_is_not_said_to_have_failed() -> None:
    assert guard_sentence(done(PORTFOLIO, decided("none", 0.0))) == ""
    assert guard_sentence(done(PORTFOLIO, decided("none", "?"))) == ""  # type: ignore[arg-type]


def test_history_that_no_model_ever_used_is_said_so() -> None:
    assert guard_sentence(done(decided("none", -2.0))).startswith(
        "No model of this search used history"
    )


def test_tasks_that_were_dropped_are_listed_with_the_last_trial_they_served() -> None:
    found = done(
        decided("all", 1.0, "far"), decided("agreeing", 1.0, "far", "kmnist"),
        decided("agreeing", 1.0, "far", "digits"),
        decided("agreeing", 1.0, "far", "digits", "kmnist"),
    )  # fmt: skip
    assert found.dropped_tasks == (
        Dropped("digits", 1, "it does not fit"), Dropped("kmnist", 2, "it does not fit"),
    )  # fmt: skip
    assert found.never_used == ("far",)
    assert "The guard dropped digits after trial 1, kmnist after trial 2." in guard_sentence(found)


def test_of_a_hundred_tasks_that_were_dropped_three_are_named() -> None:
    names = [f"task-{index:02d}" for index in range(100)]
    text = guard_sentence(done(decided("all"), decided("agreeing", 1.0, *names)))
    assert "task-02 after trial 0 and 97 more." in text and len(text) < 300


@pytest.mark.parametrize("origin", [{}, {"guard": 3}, {"guard": {}, "step": "control"}])
def test_without_decisions_there_is_nothing_to_say(origin: Any) -> None:
    found = done(origin, origin)
    assert found.decisions == () and guard_sentence(found) == ""


def test_a_broken_record_is_a_decision_that_is_not_known() -> None:
    found = done({"guard": {"history": "some", "log_evidence": "x", "dropped": 3}})
    (only,) = found.decisions
    assert (only.history, only.log_evidence, only.seen, only.dropped) == ("", None, None, ())
    assert guard_sentence(found) == ""

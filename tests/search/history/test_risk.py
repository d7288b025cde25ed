"""The risk of a failure, read from a trial's origin and written to read."""

from __future__ import annotations

import math

import pytest

from search.history.provenance import provenance_text, read_origin
from search.history.risk import THIS_SEARCH, Risk, read_risk

RECORD = {"probability": 0.234, "failed": {THIS_SEARCH: 3, "mnist": 4, "digits": 1},
          "runs": ["r1", "r2"]}  # fmt: skip


def test_a_risk_is_read_and_written_in_words() -> None:
    assert read_risk({"risk": RECORD}).in_words({"r1": "cold#7"}) == (
        "Risk of failure: 23%, learned from 3 failed trials of this search and 5 failed trials of "
        "2 earlier tasks (mnist 4, digits 1); nearest: cold#7, r2"
    )


def test_one_failure_alone_is_singular_and_names_no_task() -> None:
    found = read_risk({"risk": {"probability": 0.5, "failed": {THIS_SEARCH: 1}}})
    assert found.in_words({}) == "Risk of failure: 50%, learned from 1 failed trial of this search"


def test_many_tasks_are_counted() -> None:
    failed = {f"task {place}": place for place in range(1, 6)}
    assert (
        read_risk({"risk": {"probability": 0.5, "failed": failed}})
        .in_words({})
        .endswith("15 failed trials of 5 earlier tasks (task 5 5, task 4 4, task 3 3, 2 more)")
    )


@pytest.mark.parametrize(
    "record",
    [
        None, [], {}, {"probability": "0.3"}, {"probability": True}, {"probability": math.nan},
        {"probability": -0.1}, {"probability": 1.1}, {"probability": 10**400},
    ],
)  # fmt: skip
def test_what_is_malformed_is_unknown(record: object) -> None:
    assert read_risk({"risk": record}) == Risk()
    assert Risk().in_words({}) == ""


def test_malformed_parts_are_left_out() -> None:
    record = {"probability": 0.5, "failed": {"a": -1, "b": True, "c": 1.5, "d\x1b": 2}, "runs": 3}
    assert read_risk({"risk": record}) == Risk(0.5, {"d?": 2}, ())


def test_the_sentence_of_a_trial_ends_with_its_risk() -> None:
    made = {"step": "model", "risk": {"probability": 0.3, "failed": {THIS_SEARCH: 2}}}
    assert provenance_text(read_origin(made)).endswith(
        "Risk of failure: 30%, learned from 2 failed trials of this search."
    )
    assert "Risk" not in provenance_text(read_origin({"step": "model"}))

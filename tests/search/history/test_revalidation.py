"""Revalidation: reading untrusted records, when a record is gone, and what was before that."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from search.history import Trial
from search.history.provenance import provenance_text, read_origin
from search.history.revalidation import (
    Revalidation,
    changes_of,
    is_before,
    read_revalidation,
)
from search.objectives import Objective

KNOWN = Revalidation("digits-1#7", {"accuracy": 0.98}, {"accuracy": (0.97, 0.99)})
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def origin_of(known: Revalidation) -> dict[str, Any]:
    return {"step": "confirm", "source_runs": ["r7"], "revalidates": known.as_record()}


def again(value: float, hours: float = 0, **changes: Any) -> Trial:
    fields: dict[str, Any] = {
        "state": "complete", "configuration": {"x": 1}, "values": (value,), "task": "digits",
        "objectives": (Objective("accuracy", "maximize"),), "origin": origin_of(KNOWN),
        "search": "second", "started": NOON + timedelta(hours=hours),
    }  # fmt: skip
    return Trial(**fields | changes)


def test_a_record_comes_back_from_a_store_as_it_went() -> None:
    one_sided = Revalidation("a#1", {"loss": 2.0}, {"loss": (-math.inf, 3.0)})
    for known in (KNOWN, one_sided):
        assert read_revalidation(json.loads(json.dumps(origin_of(known)))) == known


@pytest.mark.parametrize(
    "record",
    [
        None, "confirm", {"step": "confirm"}, {"step": "random", "revalidates": KNOWN.as_record()},
        {"step": "confirm", "revalidates": {"trial": 7}},
    ],
)  # fmt: skip
def test_what_is_no_record_is_none(record: object) -> None:
    assert read_revalidation(record) is None


def test_malformed_parts_of_a_record_count_as_not_recorded() -> None:
    record = {
        "trial": "a#1", "expected": {"x": 1, "y": "much", "z": math.nan, 3: 4.0, "huge": 10**400},
        "accepted": {"x": [2, 1], "y": [0, 1], "unknown": [0, 1], "z": "all"},
    }  # fmt: skip
    found = read_revalidation({"step": "confirm", "revalidates": record})
    assert found == Revalidation("a#1", {"x": 1.0})


def test_a_record_is_gone_if_a_value_lies_outside_of_what_it_allows() -> None:
    assert KNOWN.departed({"accuracy": 0.971}) == {}
    assert KNOWN.departed({"accuracy": 0.95}) == {"accuracy": 0.95}
    assert KNOWN.departed({"accuracy": 0.999}) == {"accuracy": 0.999}
    assert KNOWN.departed({"loss": 3.0}) == {}


def test_a_warning_says_what_was_measured_what_it_means_and_what_to_do() -> None:
    said = KNOWN.result_in_words({"accuracy": 0.95})
    assert said.startswith(
        "warning: the best known trial, digits-1#7, does not reach its record: accuracy is 0.9500 "
        "now and was 0.9800 (0.9700 to 0.9900 would be accepted). A library, the data or the "
        "hardware has changed since; trials of before count by rank from here on. fix: "
    )
    assert KNOWN.result_in_words({"accuracy": 0.981}) == (
        "the best known trial, digits-1#7, was trained again: accuracy 0.9810 (on record 0.9800)"
    )


def test_the_ledger_says_what_is_trained_again_and_what_is_expected() -> None:
    names = {"r7": "digits-1#7"}
    assert provenance_text(read_origin(origin_of(KNOWN)), names) == (
        "It trains the best known configuration of this task again, expected to reach accuracy "
        "0.9800. Tried before as digits-1#7."
    )


def test_what_was_trained_before_a_record_was_gone_is_told_apart() -> None:
    change = again(0.95, search="second")
    assert changes_of([again(0.98), again(0.95, state="failed", values=())]) == {}
    assert changes_of([again(0.98), change]) == {"digits": [change]}
    assert is_before(again(0.9, hours=-1, search="first"), change)
    assert not is_before(again(0.9, hours=-1, search="second"), change)
    assert not is_before(again(0.9, hours=1, search="third"), change)
    assert not is_before(change, change)

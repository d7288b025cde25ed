"""The documents of `--json`, and that they keep to their schemas."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from search.cli.documents import DOCUMENTS, MeasuredDocument, schema_of, to_json
from search.cli.stored_searches import (
    Wanted,
    show_document,
    stored_search,
    stored_searches,
    trial_document,
)
from search.tracking import tag_names
from tests.support.stored_search import HOSTILE, Stored, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored(tmp_path_factory.getbasetemp())


def checked(name: str, document: Any) -> Any:
    """Returns a document as programs read it, after checking it against its schema."""
    schema = json.loads(schema_of(name))
    Draft202012Validator.check_schema(schema)
    found = json.loads(to_json(document))
    Draft202012Validator(schema).validate(found)
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_has_a_schema_that_requires_its_keys(name: str) -> None:
    schema = json.loads(schema_of(name))
    assert schema["type"] == "object" and set(schema["required"]) == set(schema["properties"])


def test_an_unknown_document_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="'shwo'; fix: use one of history, show, trial, compare, review, data"
    ):
        schema_of("shwo")


def test_the_history_has_totals_of_each_search(store: Stored) -> None:
    (found,) = checked("history", stored_searches(store.uri, Wanted()))["searches"]
    assert found["search"] == store.search and found["task"] == store.plan.task
    assert found["trials"] == {"complete": 2, "failed": 1, "interrupted": 1}
    assert found["best"] == {"left": 0.9, "right": 0.9} and found["trials_budget"] == 5
    assert [each["direction"] for each in found["objectives"]] == ["maximize", "maximize"]
    assert checked("history", stored_searches(store.empty_uri, Wanted())) == {"searches": []}


def test_a_search_has_all_of_its_trials_and_says_which_are_the_best(store: Stored) -> None:
    found = checked("show", show_document(stored_search(store.uri, "hills")))
    assert found["best_trials"] == [0, 1]
    assert [trial["number"] for trial in found["trials"]] == [0, 1, 2, 3]
    first, failed = found["trials"][0], found["trials"][2]
    assert first["trial"] == f"{store.search}#0" and first["configuration"] == {"x": 0.0}
    assert first["step"] == "portfolio" and first["earlier_trials"] == ["run-a", "run-b"]
    assert first["validation"] == {"left": 0.9, "right": 0.1} and first["traceback"] == ""
    assert failed["reason"] == failed["traceback"] == HOSTILE and failed["validation"] == {}


def test_a_number_that_is_not_finite_is_null(store: Stored) -> None:
    found = stored_search(store.uri, "hills")
    document = trial_document(found, found.trial(0), {})
    values = {"a": 1.0, "b": float("nan"), "c": float("inf")}
    measured = MeasuredDocument(float("nan"), 0.1, float("-inf"))
    read = checked("trial", replace(document, validation=values, test={"a": measured}))
    assert read["validation"] == {"a": 1.0, "b": None, "c": None}
    assert [read["test"]["a"][key] for key in ("value", "low", "high")] == [None, 0.1, None]


@pytest.mark.parametrize("record", ["{", "[1]", '{"source": "a#1"}', "[" * 100_000])
def test_a_damaged_lineage_is_said_and_the_trial_is_shown(store: Stored, record: str) -> None:
    found = stored_search(store.uri, "hills")
    trial = found.trial(0)
    damaged = replace(found, tags={trial.run_id: {tag_names.LINEAGE: record}})
    assert checked("trial", trial_document(damaged, trial, {}))["lineage"].endswith("is damaged.")

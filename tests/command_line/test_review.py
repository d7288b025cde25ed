"""`review`: what history teaches for a spec, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from search.cli.documents import schema_of
from search.tracking.store import open_client
from tests.support.commands import Said
from tests.support.stored_search import Stored


def test_review_shows_what_would_be_tried_and_why(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    said = cli("review", spec, "--tracking-uri", store.uri)
    assert said.code == 0
    assert said.out.count("\ntry       x ") == 3 and said.out.count("\n          It ") == 3


def test_review_says_in_a_line_what_history_knows_of_failures(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    arguments = ("review", spec, "--tracking-uri", store.uri)
    said = "extract   1 of 3 trials failed (error 1)"
    assert f"{said}; configurations like these are tried less\n" in cli(*arguments).out
    off = cli(*arguments, "--set", "sampler.options.failures=false").out
    assert f"{said}\n" in off


def test_review_shows_how_history_was_fitted_to_this_space(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    arguments = ("--set", "space.x.low=2.5", "--tracking-uri", store.uri)
    said = cli("review", spec, *arguments)
    assert f"review    narrowed: x -2..3 in {store.search}, 2.5..3 here: " in said.out
    # An interrupted trial has no end.
    assert "review    left out: 1 trial, because interrupted: it has not ended" in said.out
    (decision,) = json.loads(cli("review", spec, *arguments, "--json").out)["decisions"]
    assert decision["kind"] == "narrowed" and decision["search"] == store.search


@pytest.mark.parametrize("of", ["uri", "empty_uri"])
def test_review_as_json_prints_nothing_else(
    cli: Callable[..., Said], store: Stored, spec: Path, of: str
) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    said = cli("review", spec, "--json", "--tracking-uri", getattr(store, of))
    document = json.loads(said.out, parse_constant=refuse)
    assert said.code == 0
    Draft202012Validator(json.loads(schema_of("review"))).validate(document)
    assert document.keys() == {
        "task", "experience", "cost_forecast", "decisions", "trials_left_out",
        "first_configurations", "rejected",
    }  # fmt: skip
    assert document["cost_forecast"]["trials"] == 5
    assert document["task"] == store.plan.task
    assert len(document["first_configurations"]) == 3
    assert all(-2 <= each["configuration"]["x"] <= 3 for each in document["first_configurations"])


def test_review_lists_what_was_left_out_when_asked(
    cli: Callable[..., Said], store: Stored, spec: Path, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    foreign = open_client(copy.uri).create_run(copy.plan.experiment, run_name="by hand")
    silent = cli("review", spec, "--tracking-uri", copy.uri)
    said = cli("review", spec, "--rejected", "--tracking-uri", copy.uri)
    # This one, and a trial of the store that has not ended.
    assert "2 runs left out" in silent.out and foreign.info.run_id not in silent.out
    assert f"left out  {foreign.info.run_id} by hand: has no hyperparameter" in said.out


def test_settings_of_the_command_line_change_the_spec(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    arguments = ("--set", "space.x.low=2.5", "--json", "--tracking-uri", store.empty_uri)
    document = json.loads(cli("review", spec, *arguments).out)
    assert all(2.5 <= each["configuration"]["x"] <= 3 for each in document["first_configurations"])

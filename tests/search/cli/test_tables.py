"""What `history` and `show` print."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from search.cli import tables
from search.cli.tables import print_search, print_trial, searches_table
from search.history.provenance import provenance_text, read_origin
from search.objectives.objective import PARETO, Role, to_json
from search.tracking import tag_names
from search.tracking.store import open_client
from tests.support.stored_search import HOSTILE, Stored, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored(tmp_path_factory.getbasetemp())


def printed(write: Callable[[Console], Any]) -> str:
    file = io.StringIO()
    write(Console(file=file, width=160))
    return file.getvalue()


def test_a_search_is_a_line_with_its_state_and_its_best_value_of_each_objective(
    store: Stored,
) -> None:
    text = printed(lambda out: out.print(searches_table(store.uri)))
    (line,) = [line for line in text.splitlines() if store.search in line]
    assert line.split() == [
        store.search, store.plan.task, "interrupted", "3/5", "0.9000", "/", "0.9000", "0",
        "searches",
    ]  # fmt: skip


def test_an_empty_store_has_an_empty_table(store: Stored) -> None:
    text = printed(lambda out: out.print(searches_table(store.empty_uri)))
    assert len(text.splitlines()) == 1 and text.split()[0] == "search"


def test_a_search_shows_its_states_and_its_front_best_first(store: Stored) -> None:
    text = printed(lambda out: print_search(out, "hills", store.uri))
    lines = text.splitlines()
    assert lines[0] == f"{store.search}  interrupted  task {store.plan.task}"
    assert lines[1] == "trials: 2 complete, 1 failed, 1 interrupted"
    assert text.index("# trial 000: left 0.9000, right 0.1000") < text.index(
        "# trial 001: left 0.1000, right 0.9000"
    )
    assert "failed: trial 002" in text


def test_the_best_trials_are_ready_to_paste(store: Stored) -> None:
    text = printed(lambda out: print_search(out, "hills", store.uri))
    pasted = text.split("# trial 001")[1].splitlines()[1]
    assert yaml.safe_load(pasted) == {"x": 0.25}


def test_a_trial_shows_its_configuration_its_values_and_its_origin(store: Stored) -> None:
    text = printed(lambda out: print_trial(out, store.search, 0, store.uri))
    assert text.splitlines() == [
        f"trial 000 of {store.search}: complete at epoch 4", "x: 0.0", "left: 0.9000",
        "right: 0.1000",
        "It comes from the portfolio, before any model: it did well on 1 earlier task "
        "(t@1 0.50). Tried before in runs run-a, run-b.",
    ]  # fmt: skip


def test_a_trial_that_does_not_exist_is_refused(store: Stored) -> None:
    with pytest.raises(LookupError, match=f"{store.search} has no trial 99"):
        print_trial(Console(file=io.StringIO()), store.search, 99, store.uri)


def test_an_origin_is_explained_in_a_sentence() -> None:
    assert provenance_text(read_origin({})) == "What proposed it is not recorded."
    model = {"step": "model", "sampler": "tpe", "prior_trials": 12}
    assert provenance_text(read_origin(model)) == (
        "It was proposed by a model of this search's own trials and 12 earlier trials of this very "
        "task (tpe)."
    )


def test_of_many_past_runs_five_are_named() -> None:
    origin = read_origin({"step": "portfolio", "source_runs": list("abcdefg")})
    assert provenance_text(origin).endswith("in runs a, b, c, d, e and 2 more.")


def test_configurations_and_verdicts_are_printed_as_they_are(store: Stored, tmp_path: Path) -> None:
    copy = store.copied(tmp_path)
    open_client(copy.uri).set_tag(store.plan.summary_run, tag_names.VERDICT, HOSTILE)
    text = printed(lambda out: print_search(out, "hills", copy.uri))
    assert HOSTILE in text


def test_a_state_read_from_the_store_is_shown_as_it_is(
    store: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    summaries = tables.all_summaries

    def tampered(client: Any) -> list[Any]:
        return [replace(entry, state="[/oops]") for entry in summaries(client)]

    monkeypatch.setattr(tables, "all_summaries", tampered)
    assert "[/oops]" in printed(lambda out: out.print(searches_table(store.uri)))


def test_an_objective_read_from_the_store_is_shown_as_it_is(store: Stored, tmp_path: Path) -> None:
    copy = store.copied(tmp_path)
    tag = json.dumps(["[/oops]", "right"])
    open_client(copy.uri).set_tag(store.plan.summary_run, tag_names.OBJECTIVES, tag)
    assert "[/oops]" in printed(lambda out: print_search(out, "hills", copy.uri))


def test_a_search_shows_what_its_roles_call_best_and_that_no_trial_keeps_a_bound(
    store: Stored, tmp_path: Path
) -> None:
    copied = store.copied(tmp_path)
    client = open_client(copied.uri)
    for bound, shown, warning in ((0.5, "001", ""), (0.95, "001", "No complete trial keeps right")):
        roles = to_json((PARETO, Role("constraint", bound=bound)))
        client.set_tag(store.plan.summary_run, tag_names.ROLES, roles)
        text = printed(lambda out: print_search(out, "hills", copied.uri))
        assert f"Best by left under right >= {bound:.2f}" in text
        assert f"# trial {shown}" in text and text.count("# trial") == 1
        assert warning in text and ("No complete trial" in text) == bool(warning)

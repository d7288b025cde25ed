"""`compare`: which searches it takes, and what it prints for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from search.cli.compared_searches import read_columns
from search.pipeline import new_plan, prepare
from search.tracking.read.history import load_history
from search.transfer.totals import totals
from tests.support.commands import Said
from tests.support.stored_search import Stored, hills_spec, silent


@pytest.fixture(scope="module")
def pair(store: Stored, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """A store, a search with trials in it, and one of the same task without any."""
    folder = tmp_path_factory.mktemp("pair")
    uri = store.copied(folder).uri
    changes = {"name": "other", "space": {"x": {"type": "float", "low": -1, "high": 3}}}
    prepared = prepare(hills_spec(**changes), uri, say=silent)
    return uri, store.search, new_plan(prepared, uri, folder, None).search


def test_compare_shows_two_searches_of_a_store_side_by_side(
    cli: Callable[..., Said], pair: tuple[str, str, str]
) -> None:
    uri, first, second = pair
    said = cli("compare", "hills", "other", "--tracking-uri", uri)
    assert said.code == 0
    for text in (f"A  {first}", f"B  {second}", "left (maximize)", "hypervolume", "-2..3", "-1..3"):
        assert text in said.out
    document = json.loads(cli("compare", "hills", "other", "--json", "--tracking-uri", uri).out)
    assert [each["search"]["search"] for each in document["searches"]] == [first, second]


def test_its_numbers_are_those_of_the_whole_store(pair: tuple[str, str, str]) -> None:
    uri, first, _ = pair
    history = load_history(uri)
    column = read_columns(uri, [first, "other"])[0]
    known = totals(history, first)
    assert column.totals.hypervolume == known.hypervolume > 0
    assert column.totals.hours_unit == "core-hours"


def test_compare_refuses_what_is_no_comparison(
    cli: Callable[..., Said], pair: tuple[str, str, str]
) -> None:
    uri, first, second = pair
    for arguments, answer in (
        (["hills"], "one search is not enough to compare; fix: name another one"),
        (["hills", second, first], f"{first} is named twice; fix: name each search once"),
        (["hills", "othre"], f"no search is called 'othre'. Did you mean {second}?"),
    ):
        said = cli("compare", *arguments, "--tracking-uri", uri)
        assert said.code == 2 and answer in said.err

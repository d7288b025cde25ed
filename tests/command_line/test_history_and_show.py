"""`history` and `show`: the earlier searches, one of them, and one trial of it."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.commands import Said
from tests.support.stored_search import Stored


def test_a_new_store_has_an_empty_history(cli: Callable[..., Said], store: Stored) -> None:
    said = cli("history", "--tracking-uri", store.empty_uri)
    assert said.code == 0 and said.out == "No search.\n"


def test_history_lists_a_search_with_its_whole_id(cli: Callable[..., Said], store: Stored) -> None:
    assert store.search in cli("history", "--tracking-uri", store.uri).out


def test_show_explains_a_search_and_one_trial_of_it(
    cli: Callable[..., Said], store: Stored
) -> None:
    assert "2 complete, 1 failed" in cli("show", "hills", "--tracking-uri", store.uri).out
    said = cli("show", "hills", "--trial", "1", "--tracking-uri", store.uri)
    assert said.code == 0 and "It comes from the portfolio" in said.out
    missing = cli("show", "hills", "--trial", "9", "--tracking-uri", store.uri)
    assert missing.code == 2 and "has no trial 9" in missing.err

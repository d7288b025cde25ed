"""The roles of objectives are stored with a search, and a corrupt record is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.history import History
from search.objectives.objective import PARETO, Role, to_json
from search.tracking import tag_names
from search.tracking.read.history import load_history
from tests.support.stores import Store, new_store

UNDER = (PARETO, Role("constraint", bound=0.8))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = new_store(tmp_path_factory.mktemp("roles"))
    store.client.set_tag(store.summary_run, tag_names.STATE, "complete")
    return store


def roles_of(store: Store) -> tuple[Role, ...]:
    objectives = load_history(store.uri).searches[store.search].objectives
    return tuple(each.role for each in objectives)


def test_a_search_without_roles_has_none(store: Store) -> None:
    assert tag_names.ROLES not in store.client.get_run(store.summary_run).data.tags
    assert roles_of(store) == (PARETO, PARETO)


def test_roles_come_back_with_their_search_and_survive_a_file(store: Store, tmp_path: Path) -> None:
    store.client.set_tag(store.summary_run, tag_names.ROLES, to_json(UNDER))
    assert roles_of(store) == UNDER
    history = load_history(store.uri)
    history.to_parquet(tmp_path / "history.parquet")
    assert History.from_parquet(tmp_path / "history.parquet").searches == history.searches


@pytest.mark.parametrize("text", ["{", '["constraint"]', '[{"name": "report"}]', "7", "null"])
def test_with_a_corrupt_record_of_roles_all_objectives_are_pareto(store: Store, text: str) -> None:
    store.client.set_tag(store.summary_run, tag_names.ROLES, text)
    assert roles_of(store) == (PARETO, PARETO)

"""A search of an old task, launched when its store has more newer experiments than a page has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.launches import Place, finished, hills
from tests.support.stored_search import stored
from tests.support.stores import with_newer_experiments


@pytest.mark.slow
@pytest.mark.long
def test_a_new_search_of_an_old_task_learns_from_the_old_one_and_ends_well(tmp_path: Path) -> None:
    old = stored(tmp_path)
    with_newer_experiments(tmp_path / "full" / "mlflow.db", 1_200)
    place = Place(tmp_path / "full", old.uri)
    output = finished(place.run(hills("two_hills", budget={"trials": 3, "epochs": 2})))
    assert "no search is called" not in output
    search = place.search()
    assert [trial.state for trial in place.trials(search)] == ["complete"] * 3
    assert old.search in output or "1 search" in output, output

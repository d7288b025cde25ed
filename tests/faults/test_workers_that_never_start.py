"""Workers whose imports end them: the search ends with a sentence instead of starting more."""

from __future__ import annotations

import pytest

from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.launches import PATIENCE_SECONDS, ROOT, Place, finished, hills

pytestmark = pytest.mark.slow

# As a library that is not for this processor: any import of it ends the process.
DEADLY = """
import importlib.abc, os, sys
from pathlib import Path

class Deadly(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        is_deadly = name == "search.optimize.trainable" and Path(__file__).with_name("on").exists()
        if is_deadly and any("default_worker" in part for part in sys.orig_argv):
            os._exit(13)

sys.meta_path.insert(0, Deadly())
"""


# The worker's interpreter itself does not come up; the driver's patience is shortened.
STILLBORN = """
import os, sys

if any("default_worker" in part for part in sys.orig_argv):
    os._exit(13)
if {"search", "search.optimize"} & set(sys.orig_argv):
    import search.optimize.first_worker

    search.optimize.first_worker.PATIENCE_SECONDS = 30.0
"""


@pytest.mark.long
def test_a_search_whose_workers_do_not_even_start_ends_after_a_while(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself waits for them without end, and the driver's threads with it."""
    (place.folder / "sitecustomize.py").write_text(STILLBORN)
    monkeypatch.setattr("tests.support.launches.ROOT", f"{place.folder}:{ROOT}")
    command = place.run(hills(budget={"trials": 2, "epochs": 2}))
    said, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 1, said
    assert "no worker of Ray has begun a trial in 0.5 min: their processes end" in said
    assert f"twentieth resume {place.search()}" in said


@pytest.mark.long
def test_a_search_whose_workers_die_at_import_ends_and_is_resumed_after_the_fix(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "sitecustomize.py").write_text(DEADLY)
    (place.folder / "on").touch()
    monkeypatch.setattr("tests.support.launches.ROOT", f"{place.folder}:{ROOT}")
    command = place.run(hills(budget={"trials": 2, "epochs": 2}))
    said, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 1, said
    assert "the search has failed: 3 workers of Ray died before any had begun a trial" in said
    assert "fix: python -c 'import search.optimize.trainable'" in said
    search = place.search()
    assert find_summary(open_client(place.uri), search).state == "failed"
    assert place.raw_runs(search) == []
    (place.folder / "on").unlink()
    finished(place.resume(search))
    assert [trial.state for trial in place.trials(search)] == ["complete"] * 2

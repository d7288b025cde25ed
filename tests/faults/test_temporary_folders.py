"""A TMPDIR that is too long for the path of a socket, in a search on real Ray."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.launches import PATIENCE_SECONDS, Place, assert_truthful, finished, hills

pytestmark = pytest.mark.slow


@pytest.fixture
def long_tmpdir(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a folder of 90 bytes: too long for Ray, and for a trial's own processes, too."""
    short = tempfile.mkdtemp(prefix="t-", dir="/tmp")
    folder = Path(short) / ("x" * (90 - len(short) - 1))
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(short)


def test_a_search_runs_and_its_trials_may_start_processes(place: Place, long_tmpdir: Path) -> None:
    one = {"parallelism": 1, "cpus": 1}
    budget = {"trials": 2, "epochs": 2}
    said = finished(place.run(hills("hills_of_a_process", budget=budget, resources=one)))
    assert "starting Ray in /tmp/tw-" in said and "has 90 bytes" in said
    assert_truthful(place, place.search(), trials=2, epochs=2)
    assert not list(long_tmpdir.glob("tw-*"))


def test_without_any_short_folder_nothing_is_stored(
    place: Place, long_tmpdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = place.folder / "sitecustomize.py"
    module.write_text("import search.optimize.session_folder as found\nfound.ELSEWHERE = ()\n")
    monkeypatch.setattr("tests.support.launches.ROOT", f"{_root()}:{place.folder}")
    command = place.run(hills("two_hills"))
    said, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 2, said
    assert "has 90 bytes" in said and "fix: set TMPDIR to a folder" in said
    assert "Traceback" not in said
    assert not (place.folder / "storage").exists()


def _root() -> Path:
    return Path(__file__).resolve().parents[2]

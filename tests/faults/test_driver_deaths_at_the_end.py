"""Drivers that are killed between their last result and their exit: the search is complete.

Where all trials had ended, the command itself starts the driver again to finish, without Ray.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.__main__ import main
from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.dying_driver import POINTS
from tests.support.launches import Place, assert_truthful, hills

pytestmark = pytest.mark.slow

# Here the trial itself is not finished, as far as anybody knows, so only `resume` may go on.
IN_FLIGHT = "before the last end is written"
# Those after which the driver had told how it ended.
ANSWERED = ("as Ray shuts down", "after Ray has shut down")
# The others are left to `make test-all`; tests/search/optimize/test_driver.py has a driver that
# ends itself as Ray shuts down, and test_process.py what its death after its answer means.
QUICK = ("as Tune cleans up",)


class DyingPopen(subprocess.Popen[bytes]):
    """Starts a driver that kills itself in place of the driver."""

    def __init__(self, command: list[str], **options: Any) -> None:
        dying = {"search.optimize": "tests.support.dying_driver"}
        super().__init__([dying.get(part, part) for part in command], **options)


def command(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Runs a command in this process, which has all imports; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["twentieth", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "point",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.long) for each in POINTS],
)
def test_a_driver_killed_at_its_end_costs_nothing(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    point: str,
) -> None:
    monkeypatch.setattr(subprocess, "Popen", DyingPopen)
    monkeypatch.setenv("DIES", point)
    monkeypatch.setenv("DIED", str(tmp_path / "died"))
    one = {"parallelism": 1, "cpus": 1}
    spec = hills("two_hills", budget={"trials": 1, "epochs": 2}, resources=one)
    (tmp_path / "hills.yaml").write_text(yaml.safe_dump(spec))
    places = ["--tracking-uri", place.uri, "--results", str(tmp_path)]
    code = command("run", str(tmp_path / "hills.yaml"), *places, monkeypatch=monkeypatch)
    said = " ".join(capsys.readouterr().out.split())
    search = place.search()
    assert (tmp_path / "died").exists()
    assert ("it is started again to finish" in said) == (point not in (IN_FLIGHT, *ANSWERED))
    if point == IN_FLIGHT:
        assert code == 1
        allowed = ["--allow-code", "tests.support.functions:two_hills"]
        code = command("resume", search, *allowed, *places, monkeypatch=monkeypatch)
    assert code == 0
    assert_truthful(place, search, trials=1, epochs=2)
    assert find_summary(open_client(place.uri), search).state == "complete"
    assert "RUNNING" not in {run.info.status for run in place.raw_runs(search)}
    assert (tmp_path / search / "report.md").exists()
    starts = [event for event in place.events(search) if event.name == "start"]
    assert len(starts) == (2 if point == IN_FLIGHT else 1)
    trained = [event.generation for event in place.events(search) if event.name == "epoch"]
    assert trained == [1, 1], "an epoch was trained again"

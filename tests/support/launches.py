"""Launches of real searches from the command line, and checks of their stores."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from search.history import Trial
from search.tracking.read.history import load_history
from search.tracking.store import all_runs, open_client
from search.tracking.uris import store_uri
from search.tracking.write.journal import Event, read_events
from tests.support.functions import Gate
from tests.support.stores import migrated_store

ROOT = Path(__file__).resolve().parents[2]
# A busy machine needs a minute to start Ray twice; more than this is a hang.
PATIENCE_SECONDS = 400


def hills(function: str = "slow_hills", **changes: Any) -> dict[str, Any]:
    """Returns a spec of two cheap objectives; `changes` replace top-level keys."""
    spec: dict[str, Any] = {
        "name": "hills",
        "task": {"name": "hills", "train": f"python:tests.support.functions:{function}"},
        "objectives": [
            {"metric": "left", "direction": "maximize"},
            {"metric": "right", "direction": "maximize"},
        ],
        "space": {"x": {"type": "float", "low": -2, "high": 3}},
        "budget": {"trials": 5, "epochs": 4},
        "resources": {"parallelism": 2, "cpus": 1},
        "scheduler": {"name": "none"},
    }
    spec |= changes
    # Searches of one test file share a store, so a later one would end before its trials are up.
    spec["budget"] = {"stop": "never"} | spec["budget"]
    return spec


def held_hills(gate: Gate, epochs: int, **changes: Any) -> dict[str, Any]:
    """Returns the same spec with a gate, closed after `epochs` epochs."""
    gate.close_after(epochs)
    spec = hills(**changes)
    spec["task"]["settings"] = {"gate": str(gate.file)}
    return spec


def small_digits(**changes: Any) -> dict[str, Any]:
    """The quick start, small enough for a test."""
    spec: dict[str, Any] = yaml.safe_load((ROOT / "search" / "specs" / "digits.yaml").read_text())
    spec["budget"] = {"trials": 6, "epochs": 5}
    spec["scheduler"] = {"name": "none"}
    # Without AutoAttack, which test_robust_search.py has: here it would be most of the time.
    spec["robustness"] |= {"examples": 64, "cheap_examples": 32, "final_examples": 0}
    return spec | changes


@dataclass
class Place:
    """A folder with a store, specs and results of its own.

    Without a `uri` it has an SQLite store, empty but migrated: MLflow takes seconds for that.
    """

    folder: Path
    uri: str = ""

    def __post_init__(self) -> None:
        if not self.uri:
            self.uri = store_uri(self.folder / "mlflow.db")
            if not (self.folder / "mlflow.db").exists():
                shutil.copy(migrated_store(), self.folder / "mlflow.db")

    def start(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts a `twentieth` command without waiting for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "search", command, *arguments,
             "--tracking-uri", self.uri, "--results", str(self.folder)],
            cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            # A suite in the background ignores Ctrl-C, and its children would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def run(self, spec: dict[str, Any], *arguments: str) -> subprocess.Popen[str]:
        """Starts `twentieth run` on a spec."""
        path = self.folder / f"{spec['name']}.yaml"
        path.write_text(yaml.safe_dump(spec))
        return self.start("run", str(path), *arguments)

    def resume(self, search: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts `twentieth resume`, trusting the test functions."""
        function = "tests.support.functions:slow_hills"
        return self.start("resume", search, "--allow-code", function, *arguments)

    def search(self, name: str = "") -> str:
        """Returns the id of the newest search in this place, or of the only one with this name."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            storage = self.folder / "storage"
            found = sorted(storage.glob(f"{name}*"), key=lambda path: path.stat().st_mtime)
            if found:
                return found[-1].name
            time.sleep(0.1)
        raise AssertionError("no search appeared")

    def events(self, search: str) -> list[Event]:
        """Returns the journal so far."""
        return list(read_events(self.folder / "storage" / search))

    def wait_for(self, search: str, event: str, count: int = 1) -> None:
        """Waits until the journal has `count` events of a name."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while Counter(entry.name for entry in self.events(search))[event] < count:
            assert time.monotonic() < deadline, f"{event} did not come {count} times"
            time.sleep(0.05)

    def wait_for_a_begun_trial(self, search: str) -> None:
        """Waits until a trial has written its first checkpoint and not yet its third.

        Checkpoints are the workers' own: on a busy machine the journal is epochs behind them.
        """
        checkpoints = self.folder / "storage" / search / "checkpoints"
        deadline = time.monotonic() + PATIENCE_SECONDS
        newest: dict[Path, str] = {}
        while not any(name <= "epoch_0002.json" for name in newest.values()):
            assert time.monotonic() < deadline, "no trial was seen in its first epochs"
            time.sleep(0.02)
            files = sorted(checkpoints.glob("*/generation_1/epoch_*.json"))
            newest = {path.parent: path.name for path in files}

    def trials(self, search: str) -> list[Trial]:
        """Returns the search's trials by number, from the store alone."""
        trials = load_history(self.uri, searches=[search]).prior_trials(state=None)
        return sorted(trials, key=lambda trial: trial.number)

    def raw_runs(self, search: str) -> list[Any]:
        """Returns the search's trial runs in MLflow."""
        client = open_client(self.uri)
        experiments = [entry.experiment_id for entry in client.search_experiments()]
        runs = all_runs(client, experiments, f"tags.`twentieth.search` = '{search}'")
        return [run for run in runs if run.data.tags["twentieth.kind"] == "trial"]


def finished(process: subprocess.Popen[str]) -> str:
    """Waits for a command; returns its output. Fails with the output if it exits non-zero."""
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    return output


def driver_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Returns the driver process of a launched command."""
    for child in psutil.Process(process.pid).children():
        if "search.optimize" in child.cmdline():
            return child
    raise AssertionError("no driver process")


def assert_truthful(place: Place, search: str, trials: int, epochs: int) -> None:
    """Asserts that no trial is lost, doubled or left running, and every epoch is there once."""
    runs = place.raw_runs(search)
    numbers = sorted(int(run.data.tags["twentieth.number"]) for run in runs)
    assert numbers == list(range(trials)), f"lost or doubled: {numbers}"
    assert {run.info.status for run in runs} == {"FINISHED"}
    configurations = [json.dumps(trial.configuration) for trial in place.trials(search)]
    assert len(set(configurations)) == trials, "a configuration was tried twice"
    client = open_client(place.uri)
    for run in runs:
        for metric in ("left", "right"):
            points = client.get_metric_history(run.info.run_id, metric)
            steps = sorted(point.step for point in points)
            assert steps == list(range(1, epochs + 1)), (run.info.run_name, metric, steps)


def fingerprints(place: Place, search: str) -> dict[int, tuple[str, int]]:
    """Returns trial number -> (run id, end time) of finished trials, which no resume may change."""
    return {
        int(run.data.tags["twentieth.number"]): (run.info.run_id, run.info.end_time)
        for run in place.raw_runs(search)
        if run.info.status == "FINISHED"
    }

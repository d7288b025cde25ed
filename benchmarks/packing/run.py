"""Runs the searches of the packing benchmark, each in a new process on a new store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness.provenance import ROOT
from search.tracking.uris import store_uri
from search.tracking.write.journal import Event, read_events

SPEC = ROOT / "benchmarks" / "digits.yaml"
TRIALS = 16


def spec_of(on: str, at_once: int, seed: int) -> dict[str, Any]:
    """Return the search with so many trials at once, each with its share."""
    spec: dict[str, Any] = yaml.safe_load(SPEC.read_text())
    cores = os.cpu_count() or 1
    resources: dict[str, Any] = {"parallelism": at_once, "cpus": 1}
    if on == "gpu":  # the cores are shared like the GPU, or loading would delay the trials
        resources |= {"gpus": 1 / at_once, "cpus": max(1, cores // at_once)}
    return spec | {
        "name": "packing", "seed": seed, "resources": resources,
        "budget": {"trials": TRIALS, "epochs": spec["budget"]["epochs"]},
        "sampler": {"name": "random"}, "scheduler": {"name": "none"},
        "robustness": spec["robustness"] | {"final_examples": 0},
    }  # fmt: skip


def measure(on: str, at_once: int, seed: int) -> dict[str, Any]:
    """Run one search in a folder of its own; seconds from its first start to its last end."""
    events = searched(spec_of(on, at_once, seed))
    starts = [event.time / 1000 for event in events if event.name == "start"]
    states = states_of(events)
    if states != ["complete"] * TRIALS:
        raise RuntimeError(f"{at_once} at once: the trials ended as {states}")
    last = max(event.time for event in events if event.name == "end") / 1000
    return {"seconds": last - min(starts), "load": os.getloadavg()[0]}


def states_of(events: Sequence[Event]) -> list[str]:
    """Return how the trials of a search have ended, in that order."""
    return [str(event.fields["state"]) for event in events if event.name == "end"]


def searched(spec: Mapping[str, Any]) -> list[Event]:
    """Run a search in a folder of its own, and return the events of its journal.

    Raises:
        RuntimeError: the command has failed.
    """
    # Short: Ray's sockets are in it (107 bytes). TMPDIR also keeps the CPU leases apart.
    folder = Path(tempfile.mkdtemp(prefix="b-", dir="/tmp"))
    try:
        (folder / "spec.yaml").write_text(yaml.safe_dump(dict(spec)))
        done = subprocess.run(
            [sys.executable, "-m", "search", "run", str(folder / "spec.yaml"), "--cold",
             "--results", str(folder), "--tracking-uri", store_uri(folder / "mlflow.db")],
            cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the search failed: {done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        (storage,) = (folder / "storage").iterdir()
        return list(read_events(storage))
    finally:
        shutil.rmtree(folder, ignore_errors=True)

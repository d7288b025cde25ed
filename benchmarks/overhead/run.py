"""Runs the same trials on both systems, each time in a new process on a new store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness.cells import StoredResults
from benchmarks.harness.code_version import tree_hash
from benchmarks.harness.provenance import ROOT
from search.tracking.uris import store_uri
from search.tracking.write.journal import read_events

PARALLELISM = 2
KINDS = {"nothing": (24, 1), "digits": (12, 15), "burning": (6, 10)}  # trials, epochs
REPETITIONS = {"nothing": 3, "digits": 2, "burning": 2}
SYSTEMS = ("this system", "plain Ray Tune")
DIGITS = {
    "batch_size": 64, "schedule": "one_cycle", "width": 32, "optimizer": "adamw",
    "adversarial_training": "fgsm", "normalisation": "none",
}  # fmt: skip


def spec_of(kind: str) -> dict[str, Any]:
    """Return the spec of one search by this system."""
    trials, epochs = KINDS[kind]
    task: dict[str, Any] = {"train": f"python:benchmarks.overhead.trials:{kind}"}
    metrics = ["left", "right"]
    space: dict[str, Any] = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
    more: dict[str, Any] = {}
    if kind == "digits":
        task = {"data": "digits", "model": "cnn", "settings": DIGITS}
        metrics = ["accuracy.clean", "accuracy.robust"]
        space = {"dropout": {"type": "float", "low": 0.0, "high": 0.4}}
        more = {"robustness": {"final_examples": 0}}  # plain Ray Tune evaluates nothing
    return {
        "name": f"overhead-{kind}",
        "task": task,
        "objectives": [{"metric": name, "direction": "maximize"} for name in metrics],
        "space": space,
        "budget": {"trials": trials, "epochs": epochs},
        "resources": {"parallelism": PARALLELISM, "cpus": 1},
        "scheduler": {"name": "none"},
        **more,
    }


def measure(system: str, kind: str) -> dict[str, Any]:
    """Run one search in a folder of its own; return what it took, in seconds."""
    # Short: Ray's sockets are in it (107 bytes). TMPDIR also keeps the CPU leases apart.
    folder = Path(tempfile.mkdtemp(prefix="b-", dir="/tmp"))
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    trials, epochs = KINDS[kind]
    if system == SYSTEMS[0]:
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec_of(kind)))
        command = ["search", "run", folder / "spec.yaml", "--results", folder,
                   "--tracking-uri", store_uri(folder / "mlflow.db")]  # fmt: skip
    else:
        (folder / "settings.json").write_text(json.dumps(DIGITS if kind == "digits" else {}))
        command = ["benchmarks.overhead.plain_tune", kind, "--folder", folder, "--trials", trials,
                   "--epochs", epochs, "--parallelism", PARALLELISM]  # fmt: skip
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    total = time.time() - began
    if done.returncode:
        raise RuntimeError(f"{system}, {kind}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    starts, ends, training = (_ours if system == SYSTEMS[0] else _plain)(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if len(ends) != trials:
        raise RuntimeError(f"{system}, {kind}: {len(ends)} trials ended instead of {trials}")
    return {
        "system": system, "kind": kind, "trials": trials, "load": os.getloadavg()[0],
        "window": max(ends) - min(starts), "total": total, "training": training,
        "before": min(starts) - began, "after": began + total - max(ends),
    }  # fmt: skip


def _ours(folder: Path) -> tuple[list[float], list[float], float]:
    starts, ends, training = [], [], 0.0
    (storage,) = (folder / "storage").iterdir()
    for event in read_events(storage):
        if event.name == "start":
            starts.append(event.time / 1000)
        if event.name == "end":
            ends.append(event.time / 1000)
        if event.name == "epoch":
            metrics = event.fields["metrics"]
            training += metrics["seconds.train"] + metrics.get("seconds.evaluation", 0.0)
    return starts, ends, training


def _plain(folder: Path) -> tuple[list[float], list[float], float]:
    answer = json.loads((folder / "answer.json").read_text())
    return answer["starts"], answer["ends"], answer["training"]


def measured(kinds: list[str], repetitions: int | None, cache: Path) -> list[dict[str, Any]]:
    """Return all measurements, the systems in turn; those in the cache are not made again."""
    store, rows = StoredResults(cache, "overhead"), []
    code = tree_hash(ROOT / "search", ROOT / "models", Path(__file__).parent)
    for kind in kinds:
        for repetition in range(repetitions or REPETITIONS[kind]):
            for system in SYSTEMS:
                key = {"kind": kind, "repetition": repetition, "system": system, "code": code}
                row = store.once(key, partial(measure, system, kind)) | {"repetition": repetition}
                rows.append(row)
                print({n: round(v, 1) if isinstance(v, float) else v for n, v in row.items()})
    return rows

"""Checks what several small trials on one GPU are worth against one trial at a time.

The CNN search of the quick start, cold and at random, without early stopping: the same trials each
time, in a new process on a new store, with 1, 2, 4 and 8 of them on one GPU at once (`resources:
{gpus: 1/n}`), settings in turn. Counted is the time from the first trial's start to the last
one's end, so Ray's start and the report are left out, and the workers' own start is in it.

Without a GPU there is `--on cpu`: one core a trial, as many at once as are asked for, which shows
what the driver leaves of the machine, and nothing about GPUs.

Cost: the trials of one repetition take 1 to 2 minutes at one at a time on one core.

    python -m benchmarks.packing --on gpu --at-once 1 2 4 8
    python -m benchmarks.packing --on cpu --at-once 1 2
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import reference
from search.tracking.write.journal import read_events

SPEC = reference.ROOT / "search" / "specs" / "digits.yaml"
TRIALS = 16
REPETITIONS = 3


def spec_of(on: str, at_once: int, seed: int) -> dict[str, Any]:
    """The quick start's search with so many trials at once, each with its share."""
    spec: dict[str, Any] = yaml.safe_load(SPEC.read_text())
    cores = os.cpu_count() or 1
    resources: dict[str, Any] = {"parallelism": at_once, "cpus": 1}
    if on == "gpu":  # the cores are shared like the GPU, or loading would hold the trials up
        resources |= {"gpus": 1 / at_once, "cpus": max(1, cores // at_once)}
    return spec | {
        "name": "packing", "seed": seed, "resources": resources,
        "budget": {"trials": TRIALS, "epochs": spec["budget"]["epochs"]},
        "sampler": {"name": "random"}, "scheduler": {"name": "none"},
        "robustness": spec["robustness"] | {"final_examples": 0},
    }  # fmt: skip


def measure(on: str, at_once: int, seed: int) -> dict[str, Any]:
    """Runs one search in a folder of its own; seconds from its first start to its last end."""
    # Short: Ray's sockets lie in it (107 bytes). TMPDIR also keeps the CPU leases apart.
    folder = Path(tempfile.mkdtemp(prefix="b-", dir="/tmp"))
    try:
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec_of(on, at_once, seed)))
        done = subprocess.run(
            [sys.executable, "-m", "search", "run", str(folder / "spec.yaml"), "--cold",
             "--results", str(folder), "--tracking-uri", f"sqlite:///{folder}/mlflow.db"],
            cwd=reference.ROOT, capture_output=True, text=True,
            env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(reference.ROOT)},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{at_once} at once: {done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        (storage,) = (folder / "storage").iterdir()
        events = list(read_events(storage))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    starts = [event.time / 1000 for event in events if event.name == "start"]
    ends = [event for event in events if event.name == "end"]
    states = [event.fields["state"] for event in ends]
    if states != ["complete"] * TRIALS:
        raise RuntimeError(f"{at_once} at once: the trials ended as {states}")
    last = max(event.time for event in ends) / 1000
    return {"seconds": last - min(starts), "load": os.getloadavg()[0]}


def report(on: str, counts: list[int], rows: dict[int, list[dict[str, Any]]], device: str) -> None:
    """Writes results/reference/packing_*.md: trials an hour, and what the first setting has."""
    rates = {n: np.array([3600 * TRIALS / row["seconds"] for row in rows[n]]) for n in counts}
    lines = [
        [
            n,
            len(rates[n]),
            reference.spread(rates[n], 0),
            reference.spread(rates[n] / rates[counts[0]], 2),
        ]
        for n in counts
    ]
    header = ["trials at once", "runs", "trials an hour", f"over {counts[0]} at once"]
    body = [
        f"# Several small trials on one {device}", "",
        f"{TRIALS} random trials of search/specs/digits.yaml, settings in turn, from the first "
        "trial's start to the last one's end. Medians (least to greatest); ratios run by run.", "",
        *reference.table(header, lines),
    ]  # fmt: skip
    command = f"python -m benchmarks.packing --on {on} --at-once {' '.join(map(str, counts))}"
    reference.write(f"packing_{on}", command, body, {"runs": {str(n): rows[n] for n in counts}})


def _device(on: str) -> str:
    """What is shared, by its name.

    Raises:
        SystemExit: There is no GPU.
    """
    if on == "cpu":
        return f"machine with {os.cpu_count()} cores"
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; --on cpu measures trials beside each other")
    return str(torch.cuda.get_device_name(0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--on", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    given = parser.parse_args()
    device = _device(given.on)
    rows: dict[int, list[dict[str, Any]]] = {n: [] for n in given.at_once}
    for seed in range(given.repetitions):
        for n in given.at_once:
            rows[n].append(measure(given.on, n, seed))
            print(f"{n} at once, seed {seed}: {rows[n][-1]['seconds']:.0f} s", flush=True)
    report(given.on, given.at_once, rows, device)


if __name__ == "__main__":
    main()

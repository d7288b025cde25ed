"""Checks what this system costs beside plain Ray Tune, and what share of its time is training.

Three kinds of trial, each on both systems in turn (A B A B), at parallelism 2, every time on a new
SQLite store and in a new process:

- `nothing`: one epoch without work. Aim: 5 times more trials an hour than plain Ray Tune.
- `digits`: a CNN on scikit-learn's digits with FGSM training, 15 epochs, a few seconds; the same
  training in both.
- `burning`: 10 epochs of 3 seconds that keep a core busy. Aim: 0.95 of wall time times parallelism
  is spent in training.

Plain Ray Tune is what its documentation shows: a function trainable, `OptunaSearch` with both
objectives, Ray's `MLflowLoggerCallback` (see plain_tune.py). This system is its command line,
`search run`, on an empty store and without early stopping. It does more: checkpoints every epoch,
a summary run, the Pareto front on the test split (`digits`), the report.

Each is counted twice: from Ray's first trial start to its last trial end, and as the whole command
from start to end, with imports, Ray's start, the store's creation and the report.

Cost: about 20 minutes on two busy CPU cores. A killed run goes on with the next command.

    python -m benchmarks.overhead
    python -m benchmarks.overhead --kinds nothing --repetitions 5
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import reference
from benchmarks.reference import spread
from benchmarks.trainings import CACHE
from search.report import style
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
    """The spec of one search by this system."""
    trials, epochs = KINDS[kind]
    task: dict[str, Any] = {"model": f"python:benchmarks.overhead_trials:{kind}"}
    metrics = ["left", "right"]
    space: dict[str, Any] = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
    more: dict[str, Any] = {}
    if kind == "digits":
        task = {"data": "digits", "model": "cnn", "settings": DIGITS}
        metrics = ["accuracy.clean", "accuracy.robust"]
        space = {"dropout": {"type": "float", "low": 0.0, "high": 0.4}}
        more = {"robustness": {"final_examples": 0}}  # plain Ray Tune judges nothing at the end
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
    """Runs one search in a folder of its own and says what it took, in seconds."""
    # Short: Ray's sockets lie in it (107 bytes). TMPDIR also keeps the CPU leases apart.
    folder = Path(tempfile.mkdtemp(prefix="b-", dir="/tmp"))
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(reference.ROOT)}
    trials, epochs = KINDS[kind]
    if system == SYSTEMS[0]:
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec_of(kind)))
        command = ["search", "run", folder / "spec.yaml", "--results", folder,
                   "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]  # fmt: skip
    else:
        (folder / "settings.json").write_text(json.dumps(DIGITS if kind == "digits" else {}))
        command = ["benchmarks.plain_tune", kind, "--folder", folder, "--trials", trials,
                   "--epochs", epochs, "--parallelism", PARALLELISM]  # fmt: skip
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=reference.ROOT, env=environment, capture_output=True, text=True,
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
    """All measurements, the systems in turn; those in the cache are not made again."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / "overhead.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    known = {(r["kind"], r["repetition"], r["system"]): r for r in map(json.loads, lines)}
    rows = []
    for kind in kinds:
        for repetition in range(repetitions or REPETITIONS[kind]):
            for system in SYSTEMS:
                key = (kind, repetition, system)
                if key not in known:
                    known[key] = {"repetition": repetition, **measure(system, kind)}
                    with path.open("a") as file:
                        file.write(json.dumps(known[key]) + "\n")
                rows.append(known[key])
                print({n: round(v, 1) if isinstance(v, float) else v for n, v in rows[-1].items()})
    return rows


def report(rows: list[dict[str, Any]], kinds: list[str]) -> None:
    """Writes results/reference/overhead.*."""
    body = [
        "# What this system costs beside plain Ray Tune", "",
        f"Parallelism {PARALLELISM}, a new store and process each time, systems in turn. *Window*: "
        "Ray's first trial start to its last trial end. *Command*: the whole command. Medians "
        "(least to greatest).", "",
    ]  # fmt: skip
    lines, ratios = [], []
    for kind in kinds:
        rates: dict[str, dict[str, np.ndarray]] = {}
        for system in SYSTEMS:
            own = [row for row in rows if row["kind"] == kind and row["system"] == system]
            window, total, training, trials, before, after = (
                np.array([row[name] for row in own])
                for name in ("window", "total", "training", "trials", "before", "after")
            )
            rates[system] = {"window": 3600 * trials / window, "command": 3600 * trials / total}
            shares = [training / (time * PARALLELISM) for time in (window, total)]
            lines.append([
                kind, system, len(own), *(spread(rate, 0) for rate in rates[system].values()),
                *((spread(share, 3) for share in shares) if kind != "nothing" else ("", "")),
                f"{np.median(before):.0f} s", f"{np.median(after):.0f} s",
            ])  # fmt: skip
        ratio = {
            name: rates[SYSTEMS[0]][name] / rates[SYSTEMS[1]][name]
            for name in ("window", "command")
        }
        ratios.append([kind, *(spread(each, 2) for each in ratio.values())])
    columns = [f"{what}, {where}" for what in ("trials an hour", "share in training")
               for where in ("window", "command")]  # fmt: skip
    header = ["trial", "system", "runs", *columns, "before", "after"]
    body += [
        *reference.table(header, lines), "",
        "Trials an hour, this system over plain Ray Tune, run by run:", "",
        *reference.table(["trial", "window", "command"], ratios), "",
        "Trials and epochs: " + ", ".join(f"{k} {KINDS[k][0]} of {KINDS[k][1]}" for k in kinds)
        + ". Aims: 5 times the trials an hour on `nothing`; 0.95 in training on `burning`.", "",
        "![trials an hour](overhead.png)",
    ]  # fmt: skip
    command = "python -m benchmarks.overhead " + " ".join(sys.argv[1:])
    reference.write("overhead", command.strip(), body, {"runs": rows})
    draw(rows, kinds)


def draw(rows: list[dict[str, Any]], kinds: list[str]) -> None:
    """Where the time of a run goes, by system: before, trials, after."""
    figure, places = style.new_figure(
        "Wall time of a whole search, by part (median)", columns=len(kinds), height=3.6
    )
    parts = (
        ("before", style.GREY, "before the first trial"),
        ("window", style.BLUE, "trials"),
        ("after", style.PINK, "after the last"),
    )
    for axes, kind in zip(places, kinds, strict=True):
        for place, system in enumerate(SYSTEMS):
            left = 0.0
            own = [row for row in rows if row["kind"] == kind and row["system"] == system]
            for name, colour, label in parts:
                seconds = float(np.median([row[name] for row in own]))
                axes.barh(place, seconds, left=left, color=colour, label=label, height=0.6)
                left += seconds
        axes.set_yticks(range(2), SYSTEMS if axes is places[0] else ["", ""])
        axes.set_title(f"{kind}: {KINDS[kind][0]} trials", fontsize=11)
        axes.set_xlabel("seconds")
    handles, labels = places[0].get_legend_handles_labels()
    figure.legend(handles[:3], labels[:3], loc="outside lower center", ncols=3, frameon=False)
    style.save(figure, reference.REFERENCE / "overhead.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--repetitions", type=int, help=f"default: {REPETITIONS}")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of finished runs")
    given = parser.parse_args()
    report(measured(given.kinds, given.repetitions, given.cache), given.kinds)


if __name__ == "__main__":
    main()

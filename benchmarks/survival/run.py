"""Runs one search of the survival benchmark: five kills at random moments, a resume after each."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.code_version import tree_hash
from benchmarks.harness.provenance import ROOT
from benchmarks.survival.counts import counts
from benchmarks.survival.place import PATIENCE_SECONDS, Place, driver_of
from tests.support.servers import Server

PLAIN, AWAY, OWN = "SQLite", "server away", "own checkpoints"
# Of each five searches, which have 25 kills.
KINDS = (PLAIN, AWAY, PLAIN, OWN, PLAIN)
KILLS = 5  # of each search
TRIALS, EPOCHS = 6, 4
# Imports take 5 s and Ray's start 5 to 10 s on two busy cores.
STARTING_SECONDS = 12.0
# From the last trial's end to the driver's: Tune's end, sending, Ray's shutdown.
ENDING_SECONDS = 2.5


@dataclass(frozen=True)
class Moment:
    """When a driver is killed: some seconds after an event.

    Attributes:
        phase: "starting" (since the process is there), "training" (since a further event of the
            journal) or "ending" (since the last trial has ended).
        events: How many further events of trials are waited for.
    """

    phase: str
    events: int
    seconds: float


def moment(rng: random.Random, kill: int) -> Moment:
    """Draws the moment of a search's kill number `kill`, 0 to 4."""
    if kill == KILLS - 1 and rng.random() < 0.5:
        return Moment("ending", 0, rng.uniform(0, ENDING_SECONDS))
    if rng.random() < 0.25:
        return Moment("starting", 0, rng.uniform(0, STARTING_SECONDS))
    # A trial has 6 events; so few that trials are left for the later kills.
    return Moment("training", rng.randint(1, TRIALS), rng.uniform(0, 1))


def spec_of(kind: str, seed: int, folder: Path) -> dict[str, Any]:
    """Returns the spec of one search."""
    function = "with_checkpoints" if kind == OWN else "scores"
    return {
        "name": "survival",
        "seed": seed,
        "task": {
            "name": "survival", "train": f"python:benchmarks.survival.training:{function}",
            "settings": {"trained": str(folder / "trained.jsonl")},
        },
        "objectives": [{"metric": "score", "direction": "maximize"}],
        "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}},
        "budget": {"trials": TRIALS, "epochs": EPOCHS},
        "scheduler": {"name": "none"},
        "resources": {"parallelism": 2, "cpus": 1},
    }  # fmt: skip


def survive(kind: str, seed: int) -> dict[str, Any]:
    """Runs one search through its kills to its end; returns its kills and what was counted."""
    rng = random.Random(seed)
    # Short: Ray's sockets are in it. TMPDIR also keeps the CPU leases apart.
    folder = Path(tempfile.mkdtemp(prefix="v-", dir="/tmp"))
    server = None
    if kind == AWAY:
        server = Server(f"sqlite:///{folder}/server.db", folder / "artifacts")
    try:
        place, kills = Place(folder, server), list[dict[str, Any]]()
        finished: dict[int, int] = {}
        spec = spec_of(kind, seed, folder)
        (folder / "survival.yaml").write_text(yaml.safe_dump(spec))
        function = spec["task"]["train"].removeprefix("python:")
        command = place.start("run", str(folder / "survival.yaml"))
        while len(kills) < KILLS:
            kills.append(_kill(place, command, moment(rng, len(kills)), rng))
            finished = _finished(place)
            if server is not None:
                server.start()
            command = place.start("resume", place.search, "--allow-code", function)
        code = command.wait(PATIENCE_SECONDS)
        found = counts(place, TRIALS, EPOCHS, finished, has_checkpoints=kind == OWN)
        row = {"kind": kind, "seed": seed, "kills": kills, "last exit code": code, **found}
        if code or any(found.values()):
            row["output"] = (folder / "output.txt").read_text()[-4000:]
            shutil.copytree(folder, Path(tempfile.gettempdir()) / f"survival-{seed}",
                            dirs_exist_ok=True, ignore=shutil.ignore_patterns("tw-*"))  # fmt: skip
        return row
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _kill(
    place: Place, command: subprocess.Popen[str], when: Moment, rng: random.Random
) -> dict[str, Any]:
    """Kills a driver at its moment, in every second case with the command that follows it."""
    with_command, away_before = rng.random() < 0.5, rng.uniform(0, 2)
    known = len(_of_trials(place))
    while (driver := driver_of(command)) is None and command.poll() is None:
        time.sleep(0.02)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while driver is not None and driver.is_running() and command.poll() is None:
        if _has_come(place, when, known):
            break
        if time.monotonic() > deadline:
            raise TimeoutError(f"{when} did not come")
        time.sleep(0.02)
    time.sleep(when.seconds)
    if place.server is not None:
        place.server.kill()
        time.sleep(away_before)
    was_there = driver is not None and driver.is_running()
    if driver is not None and was_there:
        driver.kill()
    if with_command:
        command.kill()
    return {
        "phase": when.phase, "seconds": round(when.seconds, 2), "with command": with_command,
        "was there": was_there, "exit code": command.wait(PATIENCE_SECONDS),
    }  # fmt: skip


def _has_come(place: Place, when: Moment, known: int) -> bool:
    if when.phase == "starting":
        return True
    events = _of_trials(place)
    ended = {event.fields["number"] for event in events if event.name == "end"}
    if len(ended) == TRIALS:  # nothing further comes
        return True
    return when.phase == "training" and len(events) >= known + when.events


def _of_trials(place: Place) -> list[Any]:
    return [event for event in place.events() if event.name in ("start", "epoch", "end")]


def _finished(place: Place) -> dict[int, int]:
    """Returns the trials that had ended by now: number -> when it did so first (ms)."""
    found: dict[int, int] = {}
    for event in place.events():
        if event.name == "end" and event.fields["state"] in ("complete", "stopped", "failed"):
            found.setdefault(event.fields["number"], event.time)
    return found


def measured(rounds: int, processes: int, cache: Path) -> list[dict[str, Any]]:
    """Returns the searches with so many kills; those in the cache are not run again."""
    store = StoredResults(cache, "survival")
    code = tree_hash(ROOT / "search", ROOT / "models", Path(__file__).parent)
    jobs = [(KINDS[seed % len(KINDS)], seed) for seed in range(rounds // KILLS)]
    keys = {job: {"kind": job[0], "seed": job[1], "code": code} for job in jobs}
    missing = [job for job in jobs if store.get(keys[job]) is None]
    for job, row in in_parallel(survive, missing, processes):
        store.put(keys[job], row)
        print(row, flush=True)
    return [row for job in jobs if (row := store.get(keys[job])) is not None]

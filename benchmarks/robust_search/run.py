"""Runs the searches of the robust-search benchmark, and reads what each found from its store."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.code_version import tree_hash
from benchmarks.harness.provenance import ROOT
from models.scores.metric_names import MetricName
from search.history import Trial
from search.tracking.read.history import load_history
from search.tracking.uris import store_uri
from search.transfer.best import best_trials, values_on_test

SPEC = ROOT / "search" / "specs" / "robust_digits.yaml"
SEEDS = (0, 1, 2)
TRIALS = 20


@dataclass(frozen=True)
class Goal:
    """What a search should find on the test split."""

    epsilon: float
    clean: float
    robust: float


GOALS = (Goal(0.1, 0.975, 0.80), Goal(0.2, 0.96, 0.28))


@functools.cache
def code_version() -> str:
    """Return the hash of the code that a search runs."""
    return tree_hash(ROOT / "search", ROOT / "models")


def store(cache: Path, goal: Goal, seed: int) -> Path:
    """Return the folder of one search's store, which belongs to this code."""
    return cache / "robust-search" / code_version() / f"{goal.epsilon}-{seed}"


def run(cache: Path, seeds: Sequence[int] = SEEDS) -> None:
    """Run what is missing of these seeds, one search after the other."""
    for goal, seed in cells():
        if seed not in seeds:
            continue
        folder = store(cache, goal, seed)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "done").exists():
            continue
        where = ["--tracking-uri", uri(folder), "--results", str(folder / "results")]
        known = load_history(uri(folder)).searches if (folder / "mlflow.db").exists() else {}
        if known:
            command = ["resume", next(iter(known)), *where]
        else:
            command = ["run", str(SPEC), "--cold", "--trials", str(TRIALS), "--seed", str(seed),
                       "--set", f"robustness.epsilon={goal.epsilon}", *where]  # fmt: skip
        subprocess.run([sys.executable, "-m", "search", *command], check=True, cwd=ROOT)
        (folder / "done").touch()


def cells() -> Iterator[tuple[Goal, int]]:
    """Return all searches, one seed of each goal after the other."""
    return ((goal, seed) for seed in SEEDS for goal in GOALS)


def uri(folder: Path) -> str:
    return store_uri(folder / "mlflow.db")


def found_by(cache: Path, goal: Goal, seed: int) -> dict[str, Any]:
    """Return what one search found: its front on test, and the plain trials' robust metric."""
    history = load_history(uri(store(cache, goal, seed)))
    search = next(iter(history.searches))
    trials = history.prior_trials(state=None, search=search)
    front = [_tested(each) for each in best_trials(history, search)]
    robust = history.searches[search].metrics[1]
    plain = [
        trial.value_of(robust)
        for trial in trials
        if trial.state == "complete" and not _is_adversarial(trial.configuration)
    ]
    return {
        "search": search, "front": front, "plain": plain,
        "trials": len(trials), "complete": sum(trial.state == "complete" for trial in trials),
    }  # fmt: skip


def _tested(best: Trial) -> dict[str, Any]:
    test = values_on_test(best)
    names = {MetricName.parse(name).attack: name for name in test}
    robust = [value for name, value in best.by_metric.items() if name != "accuracy.clean"]
    return {
        "trial": best.number,
        "method": best.configuration["adversarial_training"],
        "clean": test["accuracy.clean"].value,
        "validation": [best.by_metric["accuracy.clean"], *robust],
        "autoattack": test[names["autoattack"]].value,
        "worst": test[names["worst"]].value,
    }


def _is_adversarial(configuration: Any) -> bool:
    return bool(configuration.get("adversarial_training", "none") != "none")

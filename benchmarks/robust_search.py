"""Asks whether a search of 20 trials finds robust networks on digits, judged by AutoAttack.

Real searches from the command line (`search/specs/robust_digits.yaml`, 1000/297/500 images), cold,
three seeds at each of two sizes of the attack. The best configurations of each are judged once on
all 500 test images by AutoAttack, as every search ends. Goals, for two of three seeds:

- L-infinity 0.1: a network with at least 0.975 clean and 0.80 AutoAttack accuracy on test;
- L-infinity 0.2: one with at least 0.96 and 0.28 (plain training: about 0.60 and 0.01);
- at 0.2 the front holds an adversarially trained network that beats every plainly trained one by
  0.20: its AutoAttack accuracy on test, against what PGD, which flatters, says of the plain ones.

Each search has a store of its own in `--cache`, and is resumed there if it was killed. The report
keeps published searches that the cache lacks, so seeds may be run on two machines. NOTE: the
project's code is no part of a search's identity. After a change give a new `--cache`.
Cost: about 7 minutes a search on two cores.

    python -m benchmarks.robust_search run                   # or some of them: --seeds 1 2
    python -m benchmarks.robust_search report
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import reference
from benchmarks.stored_results import CACHE
from models.scores.metric_names import MetricName
from search.history import Trial
from search.tracking.read.history import read_history
from search.transfer.best import best_trials, values_on_test

SPEC = reference.ROOT / "search" / "specs" / "robust_digits.yaml"
SEEDS = (0, 1, 2)
TRIALS = 20
AHEAD = 0.20


@dataclass(frozen=True)
class Goal:
    """What a search is to find on the test split."""

    epsilon: float
    clean: float
    robust: float


GOALS = (Goal(0.1, 0.975, 0.80), Goal(0.2, 0.96, 0.28))


def store(cache: Path, goal: Goal, seed: int) -> Path:
    """The folder of one search's store."""
    return cache / "robust-search" / f"{goal.epsilon}-{seed}"


def run(cache: Path, seeds: Sequence[int] = SEEDS) -> None:
    """Runs what is missing of these seeds, one search after the other."""
    for goal, seed in cells():
        if seed not in seeds:
            continue
        folder = store(cache, goal, seed)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "done").exists():
            continue
        where = ["--tracking-uri", uri(folder), "--results", str(folder / "results")]
        known = read_history(uri(folder)).searches if (folder / "mlflow.db").exists() else {}
        if known:
            command = ["resume", next(iter(known)), *where]
        else:
            command = ["run", str(SPEC), "--cold", "--trials", str(TRIALS), "--seed", str(seed),
                       "--set", f"robustness.epsilon={goal.epsilon}", *where]  # fmt: skip
        subprocess.run([sys.executable, "-m", "search", *command], check=True, cwd=reference.ROOT)
        (folder / "done").touch()


def cells() -> Iterator[tuple[Goal, int]]:
    """All searches, one seed of each goal after the other."""
    return ((goal, seed) for seed in SEEDS for goal in GOALS)


def uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def judged(cache: Path, goal: Goal, seed: int) -> dict[str, Any]:
    """What one search found: its front on test, and the plain trials' figures."""
    history = read_history(uri(store(cache, goal, seed)))
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
    cheap = [value for name, value in best.by_metric.items() if name != "accuracy.clean"]
    return {
        "trial": best.number,
        "method": best.configuration["adversarial_training"],
        "clean": test["accuracy.clean"].value,
        "validation": [best.by_metric["accuracy.clean"], *cheap],
        "autoattack": test[names["autoattack"]].value,
        "worst": test[names["worst"]].value,
    }


def _is_adversarial(configuration: Any) -> bool:
    return configuration.get("adversarial_training", "none") != "none"


def report(cache: Path) -> None:
    """Writes results/reference/robust_search.*, from the searches that are done."""
    published = reference.stored("robust_search")
    found = {}
    for goal, seed in cells():
        name = f"{goal.epsilon}-{seed}"
        if (store(cache, goal, seed) / "done").exists():
            found[name] = judged(cache, goal, seed)
        elif name in published:
            found[name] = published[name]
    done = [(goal, seed) for goal, seed in cells() if f"{goal.epsilon}-{seed}" in found]
    rows, reached = [], {goal.epsilon: 0 for goal in GOALS}
    ahead = 0
    for goal, seed in done:
        each = found[f"{goal.epsilon}-{seed}"]
        good = [
            one
            for one in each["front"]
            if one["clean"] >= goal.clean and one["autoattack"] >= goal.robust
        ]
        reached[goal.epsilon] += bool(good)
        shown = max(good or each["front"], key=lambda one: one["autoattack"])
        plain = max(each["plain"], default=float("nan"))
        trained = [one["autoattack"] for one in each["front"] if one["method"] != "none"]
        gap = max(trained, default=float("nan")) - plain
        ahead += goal.epsilon == GOALS[-1].epsilon and gap >= AHEAD
        rows.append([
            goal.epsilon, seed, f"{each['complete']} of {each['trials']}", shown["method"],
            " / ".join(f"{value:.3f}" for value in shown["validation"]),
            f"{shown['clean']:.3f}", f"{shown['autoattack']:.3f}",
            "reached" if good else "not reached", f"{plain:.3f}", f"{gap:+.3f}",
        ])  # fmt: skip
    run_at = {goal.epsilon: sum(other is goal for other, _ in done) for goal in GOALS}
    said = [
        f"- L-infinity {goal.epsilon}: at least {goal.clean} clean and {goal.robust} AutoAttack on "
        f"test: **{reached[goal.epsilon]} of {run_at[goal.epsilon]} seeds** (of {len(SEEDS)})"
        for goal in GOALS
    ]
    said.append(
        f"- at {GOALS[-1].epsilon} an adversarially trained network of the front beats every plain "
        f"one by {AHEAD}: **{ahead} of {run_at[GOALS[-1].epsilon]} seeds** (of {len(SEEDS)})"
    )
    header = ["epsilon", "seed", "complete", "method", "validation clean / robust", "test clean",
              "test AutoAttack", "goal", "best plain one (PGD)", "ahead"]  # fmt: skip
    body = [
        "# Does a search of 20 trials find robust networks on digits?", "",
        f"`search/specs/robust_digits.yaml`, {TRIALS} trials, cold, 1000/297/500 examples; test "
        "figures on all 500 images, AutoAttack standard. Shown is the member of the front that "
        "reaches the goal, or else the most robust one.", "", *said, "",
        *reference.table(header, rows),
    ]  # fmt: skip
    reference.write(
        "robust_search", "python -m benchmarks.robust_search run, then report", body, found
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("do", choices=("run", "report"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--seeds", type=int, nargs="+", choices=SEEDS, default=SEEDS)
    given = parser.parse_args()
    if given.do == "run":
        run(given.cache, given.seeds)
    else:
        report(given.cache)


if __name__ == "__main__":
    main()

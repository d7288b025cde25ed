"""The report of the robust-search benchmark: a row a search, and how many reach the goals."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import provenance, tables
from benchmarks.robust_search.run import GOALS, SEEDS, TRIALS, cells, found_by, store

# By how much an adversarially trained network should beat every plainly trained one.
AHEAD = 0.20


def report(cache: Path) -> None:
    """Write results/reference/robust_search.*, from the searches that are done.

    With no new search, the published ones are reported again with the environment of their run.
    """
    published = provenance.stored("robust_search")
    found, measured = {}, False
    for goal, seed in cells():
        name = f"{goal.epsilon}-{seed}"
        if (store(cache, goal, seed) / "done").exists():
            found[name], measured = found_by(cache, goal, seed), True
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
    lines = [
        f"- L-infinity {goal.epsilon}: at least {goal.clean} clean and {goal.robust} AutoAttack on "
        f"test: **{reached[goal.epsilon]} of {run_at[goal.epsilon]} seeds** (of {len(SEEDS)})"
        for goal in GOALS
    ]
    lines.append(
        f"- at {GOALS[-1].epsilon} an adversarially trained network of the front beats every plain "
        f"one by {AHEAD}: **{ahead} of {run_at[GOALS[-1].epsilon]} seeds** (of {len(SEEDS)})"
    )
    header = ["epsilon", "seed", "complete", "method", "validation clean / robust", "test clean",
              "test AutoAttack", "goal", "best plain one (PGD)", "ahead"]  # fmt: skip
    body = [
        "# Does a search of 20 trials find robust networks on digits?", "",
        f"`search/specs/robust_digits.yaml`, {TRIALS} trials, cold, 1000/297/500 examples; test "
        "metrics on all 500 images, AutoAttack standard. Shown is the member of the front that "
        "reaches the goal, or else the most robust one.", "", *lines, "",
        *tables.table(header, rows),
    ]  # fmt: skip
    provenance.write(
        "robust_search", body, found, command="python -m benchmarks.robust_search run, then report",
        seeds=", ".join(str(seed) for seed in sorted({seed for _, seed in done})),
        facts=None if measured else published["environment"],
    )  # fmt: skip

"""The reports of benchmarks/memory.py: tables, a verdict and a picture for each claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import reference
from search.report import style

# The command that made a result, and what it depends on (None: this very process).
Origin = tuple[str, Mapping[str, str] | None]

SOURCE, TARGET = "mnist_10k", "kmnist_t10k"
COPIED = 3
FRESH_SEEDS = 2
SAME_EPOCHS = 8
MARGIN = 0.01
SAME_POINT, RELATED_POINT = (0.5, 0.0), (0.4, 0.0)


def trials_to(volumes: Sequence[float], goal: float) -> int:
    """Trials until the hypervolume is reached; one more than there were if it was not."""
    reached = np.flatnonzero(np.asarray(volumes) >= goal - 1e-12)
    return int(reached[0]) + 1 if len(reached) else len(volumes) + 1


def report_same(done: list[dict[str, Any]], trials: int, origin: Origin) -> None:
    """Writes results/reference/memory_same.*."""
    scores = {
        arm: np.array([each["test"][arm]["hypervolume"] for each in done])
        for arm in done[0]["test"]
    }
    validation = {arm: np.array([each["validation"][arm] for each in done]) for arm in scores}
    rows = [
        [arm, reference.said(reference.interval(scores[arm])), f"{scores[arm].mean():.3f}",
         f"{np.median(validation[arm]):.3f}"]
        for arm in scores
    ]  # fmt: skip
    gaps = {
        f"{arm} less {other}": scores[arm] - scores[other]
        for arm, other in (
            ("warm", "cold"), ("past and warm", "cold"), ("warm", "cold, first half"),
            ("cold, first half", "cold"),
        )
    }  # fmt: skip
    claim = reference.interval(gaps["warm less cold"], np.mean)
    body = [
        f"# The same task again: {trials} warm trials against {2 * trials} cold ones", "",
        f"`search/specs/digits.yaml` with {SAME_EPOCHS} epochs instead of 15, {len(done)} paired "
        "repetitions, no early stopping, in one process. Hypervolume above clean "
        f"{SAME_POINT[0]}, robust {SAME_POINT[1]} (at most 0.5) of the validation front's "
        f"configurations, trained again with {FRESH_SEEDS} fresh seeds and measured on the test "
        "split.", "",
        f"**Claim: warm {trials} >= cold {2 * trials} - {MARGIN}: {_verdict(claim, -MARGIN)}** "
        f"Mean difference {reference.said(claim, 4)}. But {trials} cold trials, too, are only "
        f"{-gaps['cold, first half less cold'].mean():.4f} behind {2 * trials} cold ones: what "
        f"speaks for memory is the difference of warm and cold at {trials} trials.", "",
        *reference.table(
            ["arm", "test, median and 95 % interval", "test, mean", "validation, median"], rows
        ), "",
        *reference.table(
            ["paired difference (test)", "mean and 95 % interval", "median", "ahead in"],
            [[name, reference.said(reference.interval(gap, np.mean), 4), f"{np.median(gap):.4f}",
              f"{(gap > 0).sum()} of {len(gap)}"] for name, gap in gaps.items()],
        ), "",
        f"Warm trials that repeated an earlier configuration, and so counted for nothing: "
        f"{sum(each['repeats'] for each in done)} of {trials * len(done)}. Where warm trials came "
        f"from: {_steps(done, 'warm')}.", "",
        "![hypervolume by repetition](memory_same.png)",
    ]  # fmt: skip
    reference.write("memory_same", origin[0], body, {"repetitions": done}, origin[1])
    figure, (axes,) = style.new_figure(
        f"Same task: {trials} warm trials against {2 * trials} cold ones, by repetition", height=4.0
    )
    arms = ("cold, first half", "warm", "past and warm", "cold")
    for gap in range(len(done)):
        axes.plot(range(4), [scores[arm][gap] for arm in arms], color=style.GREY, linewidth=0.7)
    for place, arm in enumerate(arms):
        colour = style.ORANGE if "warm" in arm else style.BLUE
        axes.scatter([place] * len(done), scores[arm], color=colour, s=24, zorder=3)
        axes.hlines(np.median(scores[arm]), place - 0.2, place + 0.2, color=colour, linewidth=3)
    names = [f"cold, {trials}", f"warm, {trials}", f"past and warm, {2 * trials}",
             f"cold, {2 * trials}"]  # fmt: skip
    axes.set_xticks(range(4), names)
    axes.set_ylabel("hypervolume on test, fresh training")
    style.save(figure, reference.REFERENCE / "memory_same.png")


def report_related(done: list[dict[str, Any]], trials: int, origin: Origin) -> None:
    """Writes results/reference/memory_related.*."""
    volumes = {
        arm: np.array([each["volumes"][arm] for each in done]) for arm in ("cold", "warm", "copied")
    }
    own = volumes["cold"][:, -1]
    shared = np.full(len(done), np.median(own))
    rows, gaps = [], []
    for title, goals in (("its own cold search's", own), ("the cold searches' median", shared)):
        needed = {
            arm: np.array([trials_to(v, g) for v, g in zip(volumes[arm], goals, strict=True)])
            for arm in volumes
        }
        for arm, counts in needed.items():
            missed = f"{(counts > trials).sum()} of {len(counts)}"
            rows.append([title, arm, reference.said(reference.interval(counts), 1),
                         f"{counts.mean():.1f}", missed])  # fmt: skip
        for arm in ("warm", "copied"):
            fewer = needed["cold"] - needed[arm]
            gaps.append([title, f"cold less {arm}", reference.said(reference.interval(fewer), 1),
                         reference.said(reference.interval(fewer, np.mean), 1),
                         f"{(fewer > 0).sum()} fewer, {(fewer < 0).sum()} more"])  # fmt: skip
        fewer = needed["copied"] - needed["warm"]
        gaps.append([title, "copied less warm", reference.said(reference.interval(fewer), 1),
                     reference.said(reference.interval(fewer, np.mean), 1),
                     f"{(fewer > 0).sum()} fewer, {(fewer < 0).sum()} more"])  # fmt: skip
    marks = [n for n in (1, 2, 4, 8, 16) if n <= trials]
    after = [
        [arm, *(reference.said(reference.interval(volumes[arm][:, n - 1])) for n in marks)]
        for arm in volumes
    ]
    apart = [
        [
            f"{arm} less {other}",
            *(
                reference.said(
                    reference.interval(volumes[arm][:, n - 1] - volumes[other][:, n - 1], np.mean)
                )
                for n in marks
            ),
        ]
        for arm, other in (("warm", "cold"), ("copied", "cold"), ("warm", "copied"))
    ]
    body = [
        f"# A related task: what {trials} trials on {SOURCE} are worth on {TARGET}", "",
        f"`benchmarks/related.yaml`, {len(done)} paired repetitions, no early stopping, in one "
        f"process. Hypervolume on the validation split above clean {RELATED_POINT[0]}, robust "
        f"{RELATED_POINT[1]} (at most 0.6). *cold*: no history. *warm*: {trials} trials of the "
        f"source as history. *copied*: the source's best {COPIED} first, then as cold.", "",
        f"Trials until the hypervolume is reached that a cold search has after {trials} "
        f"({trials + 1} if it is not within {trials}):", "",
        *reference.table(
            ["goal", "arm", "median and 95 % interval", "mean", "not reached"], rows
        ), "",
        "Paired by repetition (positive: fewer trials than the first):", "",
        *reference.table(["goal", "difference", "median", "mean", "repetitions"], gaps), "",
        "Hypervolume after so many trials, median and 95 % interval:", "",
        *reference.table(["arm", *(f"{n}" for n in marks)], after), "",
        "Paired difference of these, mean and 95 % interval:", "",
        *reference.table(["difference", *(f"{n}" for n in marks)], apart), "",
        f"Where warm trials came from: {_steps(done, 'warm')}.", "",
        "![hypervolume against trials](memory_related.png)",
    ]  # fmt: skip
    reference.write("memory_related", origin[0], body, {"repetitions": done}, origin[1])
    figure, (axes,) = style.new_figure(
        f"A search on {TARGET} that knows {trials} trials on {SOURCE}", height=4.4
    )
    colours = {"cold": style.BLUE, "warm": style.ORANGE, "copied": style.GREEN}
    for arm, colour in colours.items():
        low, middle, high = np.percentile(volumes[arm], [25, 50, 75], axis=0)
        count = np.arange(1, middle.size + 1)
        axes.plot(count, middle, color=colour, label=arm, marker="o", markersize=3)
        axes.fill_between(count, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(shared[0], color=style.GREY, linestyle="--", linewidth=1)
    axes.set_xlabel("trials")
    axes.set_ylabel("hypervolume on validation")
    axes.legend(frameon=False, title="median and quartiles")
    style.save(figure, reference.REFERENCE / "memory_related.png")


def _verdict(claim: tuple[float, float, float], margin: float) -> str:
    if claim[1] >= margin:
        return "holds."
    return "refuted." if claim[2] < margin else "not decided by these repetitions."


def _steps(done: list[dict[str, Any]], arm: str) -> str:
    steps = [step for each in done for step in each["searches"][arm]["steps"]]
    return ", ".join(f"{name} {steps.count(name)}" for name in dict.fromkeys(steps))

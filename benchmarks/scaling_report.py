"""What a window of benchmarks/scaling.py says: figures, whether the driver kept up, a picture."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import reference
from search.tracking.journal import Event
from search.transfer import canvas

# What "keeps up" means. A tenth: less is lost in any training. A second: what a person watching
# does not notice. Five: the page is read by people, and the heartbeat is every ten. A second a
# minute: a store that takes 98 % of what comes would lag a minute behind after an hour.
LIMITS = {"delivered": 0.9, "journal": 1.0, "store": 5.0, "growth": 1.0}
TICKS, DECADES = (0.5, 1, 2, 5, 10, 20, 50), (0.001, 0.01, 0.1, 1, 10, 100)
WANTED_CONCURRENT, WANTED_RESULTS = 50, 20.0


def window_row(
    window: dict[str, Any],
    concurrent: int,
    events: Sequence[Event],
    sent: Sequence[tuple[float, int]],
    proposals: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """The figures of one window.

    Args:
        window: "opened" and "closed" (seconds since 1970) and what else is to be kept.
        concurrent: Trials at once.
        events: The whole journal.
        sent: When the store had how many bytes of it.
        proposals: When one was made, and how long it took.
    """
    opened, closed = window["opened"], window["closed"]
    within = [event for event in events if opened <= event.time / 1000 < closed]
    epochs = [event for event in within if event.name == "epoch"]
    reported = np.array([event.fields["metrics"]["reported"] for event in epochs])
    slept = np.array([event.fields["metrics"]["slept"] for event in epochs])
    written = np.array([event.time / 1000 for event in epochs])
    arrived = np.array([arrival(event.end, sent) for event in epochs])
    timed = [seconds for moment, seconds in proposals if opened <= moment < closed]
    return {
        **window,
        "asked": concurrent / float(slept.mean()),
        "delivered": len(epochs) / (closed - opened),
        "trials_an_hour": 3600 * sum(e.name == "end" for e in within) / (closed - opened),
        "trials_before": sum(e.name == "end" and e.time / 1000 < opened for e in events),
        "moments": np.round(written - opened, 3).tolist(),
        "to_journal": np.round(written - reported, 3).tolist(),
        "to_store": np.round(arrived - reported, 3).tolist(),
        "backlog": int(np.sum(arrived > closed)),
        "proposals": np.round(timed, 4).tolist(),
    }  # fmt: skip


def arrival(end: int, sent: Sequence[tuple[float, int]]) -> float:
    """When the store had the journal up to byte `end`; infinity if it never had."""
    place = bisect.bisect_left(sent, end, key=lambda sample: sample[1])
    return sent[place][0] if place < len(sent) else float("inf")


def growth(moments: Sequence[float], delays: Sequence[float]) -> float:
    """By how many seconds a minute a delay grows, by least squares; 0 with fewer than three.

    Infinity if something never arrived.
    """
    if len(moments) < 3:
        return 0.0
    if not np.isfinite(delays).all():
        return float("inf")
    return float(60 * np.polyfit(moments, delays, 1)[0])


def behind(row: dict[str, Any]) -> list[str]:
    """Why the driver did not keep up in a window; empty if it did."""
    found = []
    if row["delivered"] < LIMITS["delivered"] * row["asked"]:
        found.append("trials wait")
    for name in ("journal", "store"):
        if np.quantile(row[f"to_{name}"], 0.95) > LIMITS[name]:
            found.append(f"{name} late")
    if growth(row["moments"], row["to_store"]) > LIMITS["growth"]:
        found.append("delay to the store grows")
    return found


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    """Whether the goal is reached, and where the driver saturates."""
    well = [row for row in rows if not behind(row)]
    goal = [
        row for row in well
        if row["concurrent"] >= WANTED_CONCURRENT and row["delivered"] >= WANTED_RESULTS
    ]  # fmt: skip
    best = max(well, key=lambda row: row["delivered"], default=None)
    late = min((row for row in rows if behind(row)), key=lambda row: row["asked"], default=None)
    said = [
        f"Wanted: {WANTED_CONCURRENT} trials at once and {WANTED_RESULTS:.0f} results a second "
        f"without falling behind: **{'holds' if goal else 'does not hold'}**."
    ]
    if best is not None:
        said.append(
            f"The driver kept up to {best['delivered']:.0f} results a second, of "
            f"{best['concurrent']} trials at once ({best['trials_an_hour']:.0f} trials an hour)."
        )
    if late is not None:
        said.append(
            f"First behind: {late['concurrent']} trials that ask for {late['asked']:.0f} results a "
            f"second ({', '.join(behind(late))})."
        )
    most = max(rows, key=lambda row: row["delivered"])
    said.append(f"The most it delivered: {most['delivered']:.0f} a second.")
    return " ".join(said)


def report(
    rows: list[dict[str, Any]], command: str, facts: Mapping[str, str] | None = None
) -> None:
    """Writes results/reference/scaling.*; `facts` are those of the run if it is shown anew."""
    rows = sorted(rows, key=lambda row: (row["concurrent"], -row["pace"]))
    header = [
        "trials at once", "epoch, s", "results a second: asked", "delivered", "trials an hour",
        "to journal, s", "to store, s", "grows, s a minute", "a proposal, s",
        "driver, cores (of it Tune's loop)", "driver, ms a result", "Ray + workers, cores",
        "machine, cores", "driver / all, MB", "keeps up",
    ]  # fmt: skip
    seconds = rows[0]["closed"] - rows[0]["opened"]
    others = [
        row["machine"] - sum(row["cores"][part] for part in ("driver", "Ray", "workers"))
        for row in rows
    ]
    body = [
        "# How many trials at once one driver handles", "",
        verdict(rows), "",
        f"Windows of {seconds:.0f} s; seconds are median / 95th percentile, counted from a trial's "
        "own report. *Machine*: all that ran on it, this benchmark and others. *Tune's loop*: the "
        "driver's main thread. **Other work on this machine took "
        f"{min(others):.1f} to {max(others):.1f} cores in these windows**; a quiet one was not to "
        "be had. Limits of keeping up: at least "
        f"{LIMITS['delivered']:g} of what is asked, {LIMITS['journal']:g} s to the journal, "
        f"{LIMITS['store']:g} s to the store, growing by at most {LIMITS['growth']:g} s a minute.",
        "",
        *reference.table(header, [_cells(row) for row in rows]), "",
        "![delivered against asked, and the delays](scaling.png)", "",
        "Until every worker had reported: "
        + ", ".join(f"{count} {s:.0f} s" for count, s in _once(rows, "starting")) + ". From "
        "asking the search to stop until all was settled, sent and ended: "
        + ", ".join(f"{count} {s:.0f} s" for count, s in _once(rows, "settling")) + ".",
        "", *PLAN,
    ]  # fmt: skip
    reference.write("scaling", command, body, {"windows": rows}, facts)
    draw(rows)


# Shares of the processor seconds of a `--profile`, 64 trials: 1,734 batches.
PLAN = [
    "## Why, and past it (on paper; none of it is built or measured)", "",
    "A result costs the driver processor time in two threads that share one interpreter lock, so "
    "together they have at most one core. The column *driver, ms a result* is the bound: 1000 "
    "divided by it, if a whole core is free. Most of it is not Tune's loop but the thread that "
    "sends to the store. In a profile of that thread with 64 trials, 80 % was MLflow's `log_batch` "
    "on SQLite through SQLAlchemy, one call an epoch; of that call 50 % writes the metrics and "
    "30 % the one tag that says which epoch a trial is at. Two thirds of Tune's loop were "
    "proposals, during which no result is taken; their cost grows with the trials of the search. "
    "Trials with short epochs wait for more than the driver: the worker's checkpoint and a busy "
    "machine count as waiting, too.",
    "",
    "1. The epoch's tag goes only with a trial's end, or every few seconds: about a quarter less "
    "work a result for that thread.",
    "2. The store's thread becomes a process that reads the journal from its sent offset, which "
    "it does already: Tune's loop and the store then have a core each.",
    "3. While the store lags, waiting epochs of one run go in one batch (each metric carries its "
    "own step and time): the further behind, the fewer calls.",
    "4. The next configuration is proposed ahead, in a thread or process of its own, as soon as "
    "one is taken.",
    "5. Past one driver: a task's trials in several searches, a driver each, which learn from each "
    "other's finished trials through the store; the store then is a server on PostgreSQL.",
]  # fmt: skip


def draw(rows: list[dict[str, Any]]) -> None:
    """Delivered against asked; delays against asked."""
    figure, (left, right) = canvas.new_figure(
        "One driver: results a second, and how late they are", columns=2, height=3.8
    )
    asked = np.array([row["asked"] for row in rows])
    delivered = np.array([row["delivered"] for row in rows])
    ends = [0.8 * asked.min(), 1.25 * asked.max()]
    left.plot(ends, ends, color=canvas.GREY, linewidth=1, label="all that is asked")
    left.axhline(WANTED_RESULTS, color=canvas.GREEN, linestyle="--", linewidth=1.2, label="wanted")
    late = np.array([bool(behind(row)) for row in rows])
    for is_late, colour, label in (
        (False, canvas.BLUE, "keeps up"),
        (True, canvas.ORANGE, "behind"),
    ):
        chosen = late == is_late
        if chosen.any():
            left.scatter(asked[chosen], delivered[chosen], color=colour, label=label, zorder=3)
    left.set(xscale="log", yscale="log", ylabel="results a second, delivered")
    for row, x, y in zip(rows, asked, delivered, strict=True):
        left.annotate(
            str(row["concurrent"]), (x, y), xytext=(4, -12), textcoords="offset points", fontsize=9
        )
    left.set_title("numbers: trials at once", fontsize=10)
    left.legend(frameon=False, fontsize=9)
    for name, colour in (("store", canvas.PINK), ("journal", canvas.BLUE)):
        # A logarithmic axis, and journal times are whole milliseconds.
        slow = [np.quantile(row[f"to_{name}"], 0.95) for row in rows]
        right.plot(asked, np.maximum(slow, 1e-3), "o", color=colour, label=f"to the {name}")
        right.axhline(LIMITS[name], color=colour, linestyle="--", linewidth=1)
    right.set(xscale="log", yscale="log", ylabel="seconds, 95th percentile")
    right.set_title("dashed: the limit", fontsize=10)
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.set_xlabel("results a second, asked")
        for axis, ticks in ((axes.xaxis, TICKS), (axes.yaxis, TICKS if axes is left else DECADES)):
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_ticks([], minor=True)
        axes.set_xlim(*ends)
    left.set_ylim(*ends)
    canvas.save(figure, reference.REFERENCE / "scaling.png")


def _cells(row: dict[str, Any]) -> list[str]:
    cores, reasons = row["cores"], behind(row)
    return [
        str(row["concurrent"]), f"{row['pace']:g}", f"{row['asked']:.1f}",
        f"{row['delivered']:.1f}", f"{row['trials_an_hour']:.0f}", _two(row["to_journal"]),
        _two(row["to_store"]), f"{growth(row['moments'], row['to_store']):+.1f}",
        _two(row["proposals"]), f"{cores['driver']:.2f} ({cores['driver, main thread']:.2f})",
        f"{1000 * cores['driver'] / row['delivered']:.0f}",
        f"{cores['Ray']:.2f} + {cores['workers']:.2f}", f"{row['machine']:.2f}",
        f"{row['megabytes']['driver']:.0f} / {row['megabytes']['all']:.0f}",
        f"**no**: {', '.join(reasons)}" if reasons else "yes",
    ]  # fmt: skip


def _two(seconds: Sequence[float]) -> str:
    if not len(seconds):
        return ""
    middle, slow = np.quantile(seconds, [0.5, 0.95])
    return f"{middle:.3f} / {slow:.3f}"


def _once(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    return list({row["concurrent"]: row[name] for row in rows}.items())

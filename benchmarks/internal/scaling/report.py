"""The report of the scaling benchmark: a window's numbers, and whether the driver kept up."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import provenance, tables
from benchmarks.internal.scaling.plot import GOAL_RESULTS, draw
from search.tracking.write.journal import Event

# What "keeps up" means. A tenth: less is lost in any training. A second: what a person watching
# does not notice. Five: the page is read by people, and the heartbeat is every ten. A second a
# minute: a store that takes 98 % of what comes would lag a minute behind after an hour.
LIMITS = {"delivered": 0.9, "journal": 1.0, "store": 5.0, "growth": 1.0}
GOAL_CONCURRENT = 50


def window_row(
    window: dict[str, Any],
    concurrent: int,
    events: Sequence[Event],
    sent: Sequence[tuple[float, int]],
    proposals: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Return the numbers of one window.

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
    """Return when the store had the journal up to byte `end`; infinity if it never had."""
    place = bisect.bisect_left(sent, end, key=lambda sample: sample[1])
    return sent[place][0] if place < len(sent) else float("inf")


def growth(moments: Sequence[float], delays: Sequence[float]) -> float:
    """Return by how many seconds a minute a delay grows (least squares); 0 with fewer than three.

    Infinity if something never arrived.
    """
    if len(moments) < 3:
        return 0.0
    if not np.isfinite(delays).all():
        return float("inf")
    return float(60 * np.polyfit(moments, delays, 1)[0])


def behind(row: dict[str, Any]) -> list[str]:
    """Return why the driver did not keep up in a window; empty if it did."""
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
    """Return whether the goal is reached, and where the driver saturates, as text."""
    well = [row for row in rows if not behind(row)]
    goal = [
        row for row in well
        if row["concurrent"] >= GOAL_CONCURRENT and row["delivered"] >= GOAL_RESULTS
    ]  # fmt: skip
    best = max(well, key=lambda row: row["delivered"], default=None)
    late = min((row for row in rows if behind(row)), key=lambda row: row["asked"], default=None)
    sentences = [
        f"Goal: {GOAL_CONCURRENT} trials at once and {GOAL_RESULTS:.0f} results a second "
        f"without falling behind: **{'holds' if goal else 'does not hold'}**."
    ]
    if best is not None:
        sentences.append(
            f"The driver kept up to {best['delivered']:.0f} results a second, of "
            f"{best['concurrent']} trials at once ({best['trials_an_hour']:.0f} trials an hour)."
        )
    if late is not None:
        sentences.append(
            f"First behind: {late['concurrent']} trials that ask for {late['asked']:.0f} results a "
            f"second ({', '.join(behind(late))})."
        )
    most = max(rows, key=lambda row: row["delivered"])
    sentences.append(f"The most it delivered: {most['delivered']:.0f} a second.")
    return " ".join(sentences)


def report(
    rows: list[dict[str, Any]], command: str, facts: Mapping[str, str] | None = None
) -> None:
    """Write results/reference/scaling.*; `facts` are those of a run that is shown again."""
    rows = sorted(rows, key=lambda row: (row["concurrent"], -row["pace"]))
    header = [
        "trials at once", "epoch, s", "results a second: asked", "delivered", "trials an hour",
        "to journal, s", "to store, s", "grows, s a minute", "a proposal, s",
        "proposing, share of the time", "driver, cores",
        "driver, ms a result: Tune's loop + store + rest", "Ray + workers, cores",
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
        "own report. *Machine*: all that ran on it, this benchmark and others. Milliseconds a "
        "result are processor time: *Tune's loop* is the driver's main thread, *store* the one "
        "that sends to SQLite, *rest* all others (earlier runs have two parts: the loop, all "
        "others). **Other work on this machine took "
        f"{min(others):.1f} to {max(others):.1f} cores in these windows**. Limits of keeping "
        "up: at least "
        f"{LIMITS['delivered']:g} of what is asked, {LIMITS['journal']:g} s to the journal, "
        f"{LIMITS['store']:g} s to the store, growing by at most {LIMITS['growth']:g} s a minute.",
        "",
        *tables.table(header, [_cells(row) for row in rows]), "",
        "![delivered against asked, and the delays](scaling.png)", "",
        "Until every worker had reported: "
        + ", ".join(f"{count} {s:.0f} s" for count, s in _once(rows, "starting")) + ". From "
        "asking the search to stop until all was settled, sent and ended: "
        + ", ".join(f"{count} {s:.0f} s" for count, s in _once(rows, "settling")) + ".",
        "", *PLAN,
    ]  # fmt: skip
    seeds = "0 of the searches"
    written = provenance.write(
        "scaling", body, {"windows": rows}, command=command, seeds=seeds, facts=facts
    )
    draw(
        written.with_suffix(".png"),
        rows,
        [bool(behind(row)) for row in rows],
        {key: LIMITS[key] for key in ("store", "journal")},
    )


PLAN = [
    "## Why, and past it (a plan; only what is called measured was built and measured)", "",
    "A result costs the driver processor time in three places. *Store* is MLflow's `log_batch` on "
    "SQLite, through SQLAlchemy. A trial's waiting events go in one write, so when the store is "
    "behind, a result costs the less the more wait, and how long it takes to catch up is bounded "
    "by the trials at once and not by the results. *Tune's loop* is for the most part proposals; "
    "while one is made no result is taken, and their cost grows with the trials of the search. "
    "The two share one interpreter lock, so together they have at most one core. *Rest* is for the "
    "most part two threads of OpenBLAS (numpy's and scipy's) that spin for tens of milliseconds "
    "after each small product of a proposal. Trials with short epochs wait for more than the "
    "driver: the worker's checkpoint and a busy machine count as waiting, too.",
    "",
    "1. One thread for linear algebra in the driver. With `OPENBLAS_NUM_THREADS=1` in the "
    "environment (measured, 16 trials at 20 results a second, the earlier writer) the rest fell "
    "from 13 to 1 ms a result.",
    "2. The store's thread becomes a process that reads the journal from its sent offset, which "
    "it does already: Tune's loop and the store then have a core each.",
    "3. The next configuration is proposed ahead, in a thread or process of its own, as soon as "
    "one is taken.",
    "4. Past one driver: a task's trials in several searches, a driver each, which learn from each "
    "other's finished trials through the store; the store then is a server on PostgreSQL.",
]  # fmt: skip


def _cells(row: dict[str, Any]) -> list[str]:
    cores, reasons = row["cores"], behind(row)
    known = [name for name in ("driver, main thread", "driver, store") if name in cores]
    parts = [1000 * cores[name] / row["delivered"] for name in known]
    parts.append(1000 * cores["driver"] / row["delivered"] - sum(parts))
    proposing = sum(row["proposals"]) / (row["closed"] - row["opened"])
    return [
        str(row["concurrent"]), f"{row['pace']:g}", f"{row['asked']:.1f}",
        f"{row['delivered']:.1f}", f"{row['trials_an_hour']:.0f}", _two(row["to_journal"]),
        _two(row["to_store"]), f"{growth(row['moments'], row['to_store']):+.1f}",
        _two(row["proposals"]), f"{proposing:.0%}", f"{cores['driver']:.2f}",
        " + ".join(f"{each:.0f}" for each in parts),
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

"""The report of the overhead benchmark: trials an hour, share of time in training, a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import plots, provenance, tables
from benchmarks.harness.tables import median_and_range as spread
from benchmarks.overhead.run import KINDS, PARALLELISM, SYSTEMS


def report(
    rows: list[dict[str, Any]],
    kinds: list[str],
    command: str,
) -> None:
    """Write results/reference/overhead.*."""
    body = [
        "# What this system costs next to plain Ray Tune", "",
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
        *tables.table(header, lines), "",
        "Trials an hour, this system over plain Ray Tune, run by run:", "",
        *tables.table(["trial", "window", "command"], ratios), "",
        "Trials and epochs: " + ", ".join(f"{k} {KINDS[k][0]} of {KINDS[k][1]}" for k in kinds)
        + ". Aims: 5 times the trials an hour on `nothing`; 0.95 in training on `burning`.", "",
        "![trials an hour](overhead.png)",
    ]  # fmt: skip
    seeds = "0 of this system's searches; plain Ray Tune's sampler has none"
    provenance.write("overhead", body, {"runs": rows}, command=command, seeds=seeds)
    draw(rows, kinds)


def draw(rows: list[dict[str, Any]], kinds: list[str]) -> None:
    """Draw where the time of a run goes, by system: before, trials, after."""
    figure, places = plots.new_figure(
        "Wall time of a whole search, by part (median)", columns=len(kinds), height=3.6
    )
    parts = (
        ("before", plots.GREY, "before the first trial"),
        ("window", plots.BLUE, "trials"),
        ("after", plots.PINK, "after the last"),
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
    plots.save(figure, provenance.REFERENCE / "overhead.png")

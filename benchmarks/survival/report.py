"""The report of the survival benchmark: what was counted, by kind of search and phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import provenance, tables
from benchmarks.survival.counts import COUNTED
from benchmarks.survival.run import AWAY, EPOCHS, KILLS, OWN, PLAIN, TRIALS

PHASES = ("starting", "training", "ending")


def report(rows: Sequence[Mapping[str, Any]], command: str) -> int:
    """Writes results/reference/survival.*; returns how many things have gone wrong."""
    lines, wrong = [], 0
    for kind in (PLAIN, AWAY, OWN):
        own = [row for row in rows if row["kind"] == kind]
        kills = [kill for row in own for kill in row["kills"]]
        phases = Counter(kill["phase"] for kill in kills if kill["was there"])
        found = [sum(row[name] for row in own) for name in COUNTED]
        unfinished = sum(row["last exit code"] != 0 for row in own)
        wrong += sum(found) + unfinished
        lines.append([
            kind, len(own), len(kills), *(phases[phase] for phase in PHASES),
            sum(kill["with command"] for kill in kills),
            *found, unfinished,
        ])  # fmt: skip
    every = ["all", *(sum(line[column] for line in lines) for column in range(1, len(lines[0])))]
    header = ["searches on", "searches", "kills", *(f"while {phase}" for phase in PHASES),
              "with the command", *COUNTED, "not complete"]  # fmt: skip
    gone = sum(not kill["was there"] for row in rows for kill in row["kills"])
    body = [
        "# kill -9 of the driver at random moments", "",
        f"Searches of {TRIALS} trials of {EPOCHS} epochs, two at once; each is killed {KILLS} "
        "times and resumed after each. In half of the cases the command that follows the driver is "
        "killed with it. *Starting*: imports, claim, Ray's start; *ending*: after the last trial's "
        "end.", "",
        *tables.table(header, [*lines, every]), "",
        f"**{'Nothing' if not wrong else wrong}** was lost, doubled, repeated, left RUNNING or not "
        "complete.",
    ]  # fmt: skip
    if gone:
        body += ["", f"In {gone} of the kills the driver had ended by itself just before."]
    seeds = f"0 to {len(rows) - 1}: of a search, and of its moments"
    provenance.write("survival", body, {"searches": list(rows)}, command=command, seeds=seeds)
    return wrong

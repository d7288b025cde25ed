"""Checks that one driver keeps up with many trials at once, and finds where it no longer does.

Real searches (driver, Ray, Tune, the warm sampler, journal, SQLite store, two objectives, no early
stopping) of trials that only sleep, ten epochs each. Ray is given as many cores as trials are to
run at once; since a sleeping trial needs none, 64 of them represent the trials of 64 nodes on this
machine. What many machines add (a network, 64 raylets) is not measured.

Epochs take 2 seconds in the mean; in some searches a window with slower or faster ones shows
whether trials at once or results a second are what saturates. A window opens when every worker has
reported, so that starting Ray and its workers (seconds of CPU each) is not in it. Measured in a
window, from the journal, the time that a trial itself gives with its report, the offset that has
reached the store (sampled 20 times a second), and psutil: results a second asked for and
delivered, the delay from a report to its line in the journal and to the store, proposals, processor
time, memory.

The driver keeps up (`LIMITS` in report.py) if trials wait for it at most a tenth of their time,
reports are in the journal within a second and in the store within five (95th percentile), and the
delay to the store does not grow. A driver that is behind loses nothing: a worker waits with its
next epoch until Tune has heard of the last one, and the journal holds what the store lacks.

Cost: twelve minutes on two cores, most of it the start of the workers; 64 of them take 8 GB.

    python -m benchmarks.internal.scaling
    python -m benchmarks.internal.scaling --concurrent 16 --window 20 --profile
"""

from __future__ import annotations

from typing import Any

from benchmarks.harness import provenance
from benchmarks.harness.command_line import command, parser
from benchmarks.internal.scaling.report import behind, report
from benchmarks.internal.scaling.run import PACES, measure

PRINTED = ("concurrent", "asked", "delivered", "cores", "machine", "starting", "settling")


def main() -> None:
    options = parser("internal.scaling", __doc__)
    options.add_argument("--concurrent", type=int, nargs="+", choices=PACES, default=list(PACES))
    options.add_argument("--window", type=float, default=20.0, help="seconds measured")
    options.add_argument("--profile", action="store_true", help="print profiles, write no result")
    options.add_argument("--report", action="store_true", help="report the last result again")
    given = options.parse_args()
    if given.report:
        known = provenance.stored("scaling")
        report(known["windows"], known["command"], known["environment"])
        return
    rows: list[dict[str, Any]] = []
    for concurrent in given.concurrent:
        rows += measure(concurrent, PACES[concurrent], given.window, given.profile)
        for row in rows[-len(PACES[concurrent]) :]:
            shown = {key: row[key] for key in PRINTED}
            print(shown, ", ".join(behind(row)) or "keeps up", flush=True)
        if not given.profile:  # after every search, so that one that fails costs only itself
            report(rows, command("internal.scaling"))


if __name__ == "__main__":
    main()

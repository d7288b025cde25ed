"""Kills drivers with `kill -9` at random moments, and counts what their searches have lost.

Each search has 6 trials of 4 epochs of 0.3 s, two at once. It is killed 5 times, at moments that
its seed draws: while it starts, while it trains, or after its last trial; in every second case
together with the command that follows the driver. After each kill `resume` goes on, and the last
one runs to the end. Of five searches three are on an SQLite file, one is on an MLflow server that
is killed shortly before each of its drivers and comes back before the resume, and one trains a
function with checkpoints of its own.

Counted are, at the end: trials and epochs that the store lacks (lost), that it has twice (doubled),
that were trained again although they had been finished (repeated), and runs left RUNNING. The claim
is 0 for each; the exit code says whether it holds.

Cost: about 50 s a kill on two busy cores. A killed run goes on with the next search.

    python -m benchmarks.survival
    python -m benchmarks.survival --rounds 10
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import command, parser
from benchmarks.survival.report import report
from benchmarks.survival.run import KILLS, measured


def main() -> None:
    options = parser("survival", __doc__)
    options.add_argument("--rounds", type=int, default=50, help=f"kills, {KILLS} a search")
    options.add_argument("--processes", type=int, default=1, help="searches at a time")
    options.add_argument("--cache", type=Path, default=CACHE, help="folder of finished searches")
    given = options.parse_args()
    rows = measured(given.rounds, given.processes, given.cache)
    raise SystemExit(1 if report(rows, command("survival")) else 0)


if __name__ == "__main__":
    main()

"""Measures what this system costs next to plain Ray Tune, and what share of its time is training.

Three kinds of trial, each on both systems in turn (A B A B), at parallelism 2, every time on a new
SQLite store and in a new process:

- `nothing`: one epoch without work. Aim: 5 times more trials an hour than plain Ray Tune.
- `digits`: a CNN on scikit-learn's digits with FGSM training, 15 epochs, a few seconds; the same
  training in both.
- `burning`: 10 epochs of 3 seconds that keep a core busy. Aim: 0.95 of wall time times parallelism
  is spent in training.

Plain Ray Tune is what its documentation shows: a function trainable, `OptunaSearch` with both
objectives, Ray's `MLflowLoggerCallback` (see plain_tune.py). This system is its command line,
`search run`, on an empty store and without early stopping. It does more: checkpoints every epoch,
a summary run, the Pareto front on the test split (`digits`), the report.

Each is counted twice: from Ray's first trial start to its last trial end, and as the whole command
from start to end, with imports, Ray's start, the store's creation and the report.

Cost: about 20 minutes on two busy CPU cores. A killed run goes on with the next command.

    python -m benchmarks.overhead
    python -m benchmarks.overhead --kinds nothing --repetitions 5
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import command, parser
from benchmarks.overhead.report import report
from benchmarks.overhead.run import KINDS, REPETITIONS, measured


def main() -> None:
    options = parser("overhead", __doc__)
    options.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    options.add_argument("--repetitions", type=int, help=f"default: {REPETITIONS}")
    options.add_argument("--cache", type=Path, default=CACHE, help="folder of finished runs")
    given = options.parse_args()
    rows = measured(given.kinds, given.repetitions, given.cache)
    report(rows, given.kinds, command("overhead"))


if __name__ == "__main__":
    main()

"""Measures what a memory of failures is worth, and what it costs where it is not true.

Simulated trainings of five hyperparameters; .60 of the space runs out of memory or diverges, and
the best configuration that trains lies at the edge of that. Each search of 30 trials is run with
failures that count and without (`failures=False`), in one run: cold, after 3 other tasks or an
earlier search of the same one with true failures, and after failures that are not true here (said
where nothing fails, or at the other ends). Seeds from 0 on judge; settings are chosen on seeds from
1000 on.

Cost: about a second of one core a search; a killed run goes on where it was.

    python -m benchmarks.failures
    python -m benchmarks.failures --histories none true --repetitions 10 --first 1000
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.failures.report import measured, report
from benchmarks.failures.run import HISTORIES, Job, run_all
from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import command, parser


def main() -> None:
    options = parser("failures", __doc__)
    options.add_argument("--histories", nargs="+", choices=HISTORIES, default=list(HISTORIES))
    options.add_argument("--first", type=int, default=0, help="the first seed")
    options.add_argument("--repetitions", type=int, default=24)
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--cache", type=Path, default=CACHE)
    given = options.parse_args()
    store = StoredResults(given.cache, "failures")
    seeds = range(given.first, given.first + given.repetitions)
    jobs = [
        Job(history, has_memory, seed)
        for history in given.histories
        for has_memory in (False, True)
        for seed in seeds
    ]
    run_all(jobs, store, given.workers)
    report(measured(given.histories, seeds, store), seeds, command("failures"))


if __name__ == "__main__":
    main()

"""Measures what a warm search costs in epochs, on recorded learning curves.

12 tasks of TaskSet (recurrent text classifiers), 1,000 recorded trainings each, of the same eight
hyperparameters of Adam; a configuration that was not recorded answers with the nearest one.
Sequence i has one target and 11 earlier searches: cold TPE of 50 full trials each, with curves. The
cost of a search is the epochs of all its trials until any shows, at any epoch, the value that cold
TPE has after 50 (20) full trials (mean of ten seeds), divided by what cold TPE spends to it, and 1
if it takes as long. By this rule cold TPE itself costs 0.73 (0.78 at 20).

Sequences 0 to 35 (or 71) judge; settings are chosen on sequences from 100 on. `--histories` adds
misleading ones (benchmarks/curves/histories.py), `--stoppings` halving: `asha` from epoch 3 on,
`history` from the epoch on that past curves say (search/extract/rungs.py).

Cost: a quarter of a minute of one core for cold TPE, about a second a sequence and method. A killed
run goes on where it was.

    python -m benchmarks.curves --sequences 36
    python -m benchmarks.curves --sequences 72 --histories true inverted shuffled --stoppings none
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.curves import recorded
from benchmarks.curves.histories import HISTORIES
from benchmarks.curves.report import report
from benchmarks.curves.run import (
    EARLIER,
    STOPPINGS,
    Job,
    cold_searches,
    costs_of,
    goals_of,
    run_all,
)
from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import command, parser


def main() -> None:
    options = parser("curves", __doc__)
    options.add_argument("--first", type=int, default=0, help="number of the first sequence")
    options.add_argument("--sequences", type=int, default=36)
    options.add_argument("--histories", nargs="+", choices=HISTORIES, default=["true"])
    options.add_argument("--earlier", type=int, nargs="+", default=[EARLIER])
    options.add_argument("--stoppings", nargs="+", choices=STOPPINGS, default=["none"])
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--data", type=Path, default=recorded.DATA, help="the recorded curves")
    options.add_argument("--cache", type=Path, default=CACHE)
    given = options.parse_args()
    store = StoredResults(given.cache, "curves")
    numbers = range(given.first, given.first + given.sequences)
    methods = {
        (history, earlier, stopping): [
            Job(number, history, earlier, stopping) for number in numbers
        ]
        for stopping in given.stoppings
        for earlier in given.earlier
        for history in given.histories
    }
    run_all([job for jobs in methods.values() for job in jobs], store, given.data, given.workers)
    costs = {method: costs_of(jobs, store, given.data) for method, jobs in methods.items()}
    goals = goals_of(cold_searches(store, given.data), given.data)
    report(costs, goals, given.first, command("curves"))


if __name__ == "__main__":
    main()

"""Checks what history is worth to a search, next to every peer: recorded tasks, many seeds.

One task of HPOBench-MLP is left out and searched with 100 trials; history is the past searches of
the other seven. Every trial is looked up in a table, so hundreds of searches take minutes.
Scenarios (scenarios.py): related history, misleading history of three kinds, none, and two
objectives. Methods: peers.py.

`run` keeps every search in `--cache` and goes on where it was killed; results of other code or
another Optuna are not found again. `report` writes results/reference/transfer.* from what is kept.
`verify` prints the regrets of the recorded past searches, to compare with their README.

Cost on one idle core, a search: 0.3 s of TPE, 0.7 of enqueue, 1 of add-trial (4 with two
objectives), 4 of GP, 3 of quantile and zero-shot, 25 of bounding box.

    python -m benchmarks.transfer run --methods twentieth tpe --scenarios related --seeds 10
    python -m benchmarks.transfer report
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import parser
from benchmarks.transfer import peers, recorded_tasks
from benchmarks.transfer.curves import StoredCurves
from benchmarks.transfer.recorded_tasks import TASKS
from benchmarks.transfer.report import show, write
from benchmarks.transfer.run import Job, jobs_of, run_all, verify
from benchmarks.transfer.scenarios import SCENARIOS


def main() -> None:
    options = parser("transfer", __doc__)
    options.add_argument("action", choices=("run", "report", "verify"))
    options.add_argument(
        "--methods", nargs="+", choices=peers.METHODS, default=["twentieth", "tpe"]
    )
    options.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=["related"])
    options.add_argument("--seeds", type=int, default=10, help="seeds 0 to this less one")
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--data", type=Path, default=recorded_tasks.DATA)
    options.add_argument("--cache", type=Path, default=CACHE, help="folder of finished searches")
    given = options.parse_args()
    try:
        family = recorded_tasks.load(given.data)
    except FileNotFoundError as error:
        sys.exit(str(error))
    if given.action == "verify":
        verify(family)
        return
    store = StoredResults(given.cache, "transfer")
    if given.action == "run":
        seeds = range(given.first_seed, given.seeds)
        jobs = jobs_of(given.methods, given.scenarios, given.tasks, seeds)
        run_all(jobs, store, given.data, given.cache, given.workers)
    curves = StoredCurves(family, store, Job)
    if given.action == "report":
        write(curves, "python -m benchmarks.transfer report")
    else:
        show(curves)


if __name__ == "__main__":
    main()

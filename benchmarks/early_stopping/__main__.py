"""Checks that stopping by all objectives at once is worth more than stopping by the primary one.

60 random configurations of benchmarks/digits.yaml are trained in full, once, and their
learning curves kept (results/reference/early_stopping_curves.parquet). The real scheduler,
`MultiObjectiveASHA`, then replays them in 200 random orders with two asynchronous workers,
each trial as slow as it was: ranked by both objectives, by clean accuracy alone, or not at all. At
equal numbers of epochs spent, the score is the hypervolume of what ran to its end: of the full
validation metrics, above clean 0.5 and robust 0.0. A second score takes the validation front's
configurations and measures the hypervolume of their test metrics.

Not shown: other tasks, other shares of good configurations, and samplers that learn from what was
stopped. The interval covers the order of trials, not which 60 configurations were drawn.

Cost: ten minutes on two busy CPU cores for the curves, five to ten for the replays.

    python -m benchmarks.early_stopping            # records the curves if there are none
    python -m benchmarks.early_stopping --record   # records them again
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.early_stopping.curves import CURVES, SPEC, curves, record
from benchmarks.early_stopping.report import report
from benchmarks.early_stopping.run import compare
from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import command, parser
from search.spec import load_spec


def main() -> None:
    options = parser("early_stopping", __doc__)
    options.add_argument("--record", action="store_true", help="train the configurations again")
    options.add_argument("--cache", type=Path, default=CACHE, help="folder of finished trainings")
    options.add_argument("--processes", type=int, default=2)
    given = options.parse_args()
    spec = load_spec(SPEC)
    if given.record or not CURVES.exists():
        table = record(spec, given.cache, given.processes)
    else:
        table = pq.read_table(CURVES)
    recorded = curves(spec, table)
    report(compare(spec, recorded), recorded, command("early_stopping"))


if __name__ == "__main__":
    main()

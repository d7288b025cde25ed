"""Checks whether the robust metric inside a search puts configurations in the right order.

Twenty differently trained networks on digits (networks.py), L-infinity 0.1. Of each:
- the metric that a search would use: PGD-10 on the objective part of the
  validation split (149 images), without
  attack memory;
- on the 500 images of the test split, example by example: the same attack, its parts alone, and
  the final evaluation: APGD on cross-entropy and targeted (`pyautoattack`), then all of AutoAttack.

A pair of networks really differs if the paired difference of APGD's flags on the 500 images exceeds
two standard errors. Goal: 95 % of these pairs in the right order by the search's metric. In
addition, Spearman's correlation with AutoAttack, and the one that AutoAttack's halves (250 images
each) have with each other, which is about what any metric on so few images can reach.

Nothing was tuned on these images. `run` goes on where it was killed; after a change of the code of
`models/` all cells are run again.
Cost: about 25 minutes of one core.

    python -m benchmarks.cheap_metric run --jobs 2
    python -m benchmarks.cheap_metric report
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.cheap_metric.networks import models
from benchmarks.cheap_metric.report import report
from benchmarks.cheap_metric.run import PARTS, key, run
from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import parser


def main() -> None:
    options = parser("cheap_metric", __doc__)
    options.add_argument("action", choices=("run", "report"))
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--seed", type=int, default=0, help="of the trainings")
    given = options.parse_args()
    if given.action == "run":
        run(given.cache, given.jobs, given.seed)
        return
    results = StoredResults(given.cache, "cheap-metric")
    cells = {name: results.get(key(name, given.seed)) for name in models()}
    missing = [name for name, cell in cells.items() if cell is None]
    if missing:
        raise SystemExit(f"not run yet: {', '.join(missing)}")
    command = "python -m benchmarks.cheap_metric run, then report"
    done = {name: cell for name, cell in cells.items() if cell is not None}
    report(done, list(PARTS), command, given.seed)


if __name__ == "__main__":
    main()

"""Checks whether a search of 20 trials finds robust networks on digits, by AutoAttack.

Real searches from the command line (`search/specs/robust_digits.yaml`, 1000/297/500 images), cold,
three seeds at each of two sizes of the attack. The best configurations of each are evaluated once
on all 500 test images by AutoAttack, as at the end of every search. Goals, for two of three seeds:

- L-infinity 0.1: a network with at least 0.975 clean and 0.80 AutoAttack accuracy on test;
- L-infinity 0.2: one with at least 0.96 and 0.28 (plain training: about 0.60 and 0.01);
- at 0.2 the front holds an adversarially trained network that beats every plainly trained one by
  0.20: its AutoAttack accuracy on test, against the PGD accuracy, an upper bound, of the plain
  ones.

Each search has a store of its own in `--cache`, and is resumed there if it was killed. The report
keeps published searches that the cache lacks, so seeds may be run on two machines. Stores
are kept by the hash of the code of search/ and models/: after a change all searches are run again.
Cost: about 7 minutes a search on two cores.

    python -m benchmarks.robust_search run                   # or some of them: --seeds 1 2
    python -m benchmarks.robust_search report
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import parser
from benchmarks.robust_search.report import report
from benchmarks.robust_search.run import SEEDS, run


def main() -> None:
    options = parser("robust_search", __doc__)
    options.add_argument("action", choices=("run", "report"))
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--seeds", type=int, nargs="+", choices=SEEDS, default=SEEDS)
    given = options.parse_args()
    if given.action == "run":
        run(given.cache, given.seeds)
    else:
        report(given.cache)


if __name__ == "__main__":
    main()

"""Compares ways of training against attacks: at equal epochs, and at equal compute.

On digits, each method as its paper has it, at the size of the attack (L-infinity, `--epsilon`).
Equal compute means as many passes forward and backward through the network for an example:
a PGD training with five steps takes six an epoch, so plain training gets six times its epochs.
Attacked on the 500 test images by APGD on cross-entropy and targeted; three seeds. The results are
those of one data set and untuned settings: a method that a search may choose need not be good here.

Nothing was tuned on these images. `run` goes on where it was killed; after a change of the code of
`models/` all cells are run again.
Cost: about 15 minutes of one core for one epsilon.

    python -m benchmarks.training_methods run --jobs 2
    python -m benchmarks.training_methods report
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import CACHE, StoredResults
from benchmarks.harness.command_line import parser
from benchmarks.training_methods.report import report
from benchmarks.training_methods.run import EPSILON, cells, key, run


def main() -> None:
    options = parser("training_methods", __doc__)
    options.add_argument("action", choices=("run", "report"))
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--epsilon", type=float, default=EPSILON)
    options.add_argument("--jobs", type=int, default=2)
    given = options.parse_args()
    if given.action == "run":
        run(given.cache, given.jobs, given.epsilon)
        return
    results, done = StoredResults(given.cache, "training-methods"), []
    for cell in cells(given.epsilon):
        result = results.get(key(cell))
        if result is None:
            raise SystemExit(f"not run yet: {cell}")
        done.append({**cell, **result})
    command = f"python -m benchmarks.training_methods run --epsilon {given.epsilon}, then report"
    report(done, given.epsilon, command)


if __name__ == "__main__":
    main()

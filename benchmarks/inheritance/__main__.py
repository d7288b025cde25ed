"""Asks whether history and weights help: five entity domains, each once the target, two seeds.

Every search has 3 trials of 10 epochs of a small BERT (22.6M parameters), its objective the entity
F1 of the validation split; its result is the test F1 of its best trial by validation. Arms:

scratch: the project's sampler without history, and no weights but the pretrained ones. These
searches are also the past of the other arms.
history: the same sampler, with the scratch searches of the other four domains (same seed).
history_and_weights: in addition, every trial starts from the best scratch trial of one other
domain, the one with most label names in common; head rows travel by label name.
control: as before, but that source was trained (same configuration and seed) on shuffled labels:
what helps there is a better start of the optimizer, not knowledge.

`run` does what is missing, cell by cell, and goes on where it was killed (at the next trial).
`report` writes results/reference/inheritance.* from what is stored and says what is missing. Cells
that were published before count where the cache lacks them, so seeds may be run on two machines.

Cost: about three hours of one core. Cells are kept by the hash of the sampler's and the models'
code: after a change there, all are run again.

    python -m benchmarks.inheritance run --jobs 2            # or one seed of them: --seeds 1
    python -m benchmarks.inheritance report
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import parser
from benchmarks.inheritance.cells import Place, code_version, sources
from benchmarks.inheritance.data import load_domains
from benchmarks.inheritance.report import report
from benchmarks.inheritance.run import SEEDS, plan, run
from benchmarks.inheritance.training import Settings


def main() -> None:
    options = parser("inheritance", __doc__)
    options.add_argument("action", choices=("run", "report"))
    options.add_argument("--jobs", type=int, default=2, help="cells at once, one thread each")
    options.add_argument("--data", type=Path, default=Path("../shared/data/text"))
    options.add_argument("--cache", type=Path, default=CACHE / "inheritance")
    options.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="that are run")
    given = options.parse_args()
    place = Place(given.data, given.cache / code_version(), Settings())
    domains = load_domains(given.data)
    source = sources(domains)
    if given.action == "run":
        run(place, plan(source, given.seeds), source, given.jobs)
        return
    report(place, plan(source), domains, "python -m benchmarks.inheritance run, then report")


if __name__ == "__main__":
    main()

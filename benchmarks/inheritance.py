"""Asks whether history and weights help: five entity domains, each once the target, two seeds.

Every search has 3 trials of 10 epochs of a small BERT (22.6M parameters), its objective the entity
F1 of the validation split; its result is the test F1 of its best trial by validation. Arms:

scratch: the project's sampler without history, and no weights but the pretrained ones. These
searches are also the past of the other arms.
history: the same sampler, with the scratch searches of the other four domains (same seed).
history_and_weights: besides, every trial starts from the best scratch trial of one other domain,
the one with most label names in common; head rows travel by label name.
control: as before, but that source was trained (same configuration and seed) on shuffled labels:
what helps there is a better start of the optimizer, not knowledge.

`run` does what is missing, cell by cell, and goes on where it was killed (at the next trial).
`report` writes results/reference/inheritance.* from what is there and says what is missing.

Cost: about 2.5 hours of one core. NOTE: the code of `models/` is no part of a cell's identity.
After a change there, give a new `--cache`.

    python -m benchmarks.inheritance run --jobs 2
    python -m benchmarks.inheritance report
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.inheritance_cells import (
    BOTH,
    CONTROL,
    HISTORY,
    SCRATCH,
    SHUFFLED,
    Cell,
    Place,
    is_done,
    run_cell,
    sources,
)
from benchmarks.inheritance_data import DOMAINS, load_domains
from benchmarks.inheritance_report import report
from benchmarks.inheritance_training import Settings
from benchmarks.stored_results import CACHE

SEEDS = (0, 1)


def phases(source: dict[str, str], seeds: Iterable[int] = SEEDS) -> list[list[Cell]]:
    """All cells, in groups of which each builds on the ones before it alone."""
    seeds = list(seeds)
    used = sorted(set(source.values()))
    return [
        [Cell(target, seed, SCRATCH) for seed in seeds for target in source],
        [Cell(name, seed, SHUFFLED) for seed in seeds for name in used],
        [
            Cell(target, seed, arm)
            for seed in seeds
            for target in source
            for arm in (HISTORY, BOTH, CONTROL)
        ],
    ]


def run(place: Place, groups: Sequence[Sequence[Cell]], jobs: int) -> None:
    """Runs what is missing, `jobs` cells at once, each on one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes when they import torch
    os.environ["HF_HUB_OFFLINE"] = "1"
    total = sum(len(group) for group in groups)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for group in groups:
            pending = {
                pool.submit(run_cell, place, cell): cell
                for cell in group
                if not is_done(place, cell)
            }
            for future in as_completed(pending):
                future.result()
                done = sum(is_done(place, cell) for each in groups for cell in each)
                print(f"{time.strftime('%H:%M:%S')} {pending[future].name}: {done} of {total}",
                      flush=True)  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--jobs", type=int, default=2, help="cells at once, one thread each")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/text"))
    parser.add_argument("--cache", type=Path, default=CACHE / "inheritance")
    given = parser.parse_args()
    place = Place(given.data, given.cache, Settings())
    domains = load_domains(given.data)
    groups = phases(sources({name: domains[name] for name in DOMAINS}))
    if given.action == "run":
        run(place, groups, given.jobs)
        return
    report(place, groups, domains)


if __name__ == "__main__":
    main()

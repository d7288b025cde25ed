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
`report` writes results/reference/inheritance.* from what is there and says what is missing. Cells
that were published before count where the cache lacks them, so seeds may be run on two machines.

Cost: about three hours of one core. NOTE: the code of `models/` is no part of a cell's identity.
After a change there, give a new `--cache`.

    python -m benchmarks.inheritance run --jobs 2            # or one seed of them: --seeds 1
    python -m benchmarks.inheritance report
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
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
from benchmarks.inheritance_data import load_domains
from benchmarks.inheritance_report import report
from benchmarks.inheritance_training import Settings
from benchmarks.stored_results import CACHE

SEEDS = (0, 1)


def plan(source: Mapping[str, str], seeds: Iterable[int] = SEEDS) -> list[Cell]:
    """All cells in the order of what matters: one seed with all its arms after the other.

    `source` maps each target to the domain that it starts from.
    """
    used = sorted(set(source.values()))
    return [
        cell
        for seed in seeds
        for cell in (
            *(Cell(target, seed, SCRATCH) for target in source),
            *(Cell(name, seed, SHUFFLED) for name in used),
            *(Cell(target, seed, arm) for target in source for arm in (HISTORY, BOTH, CONTROL)),
        )
    ]


def needs(cell: Cell, source: Mapping[str, str]) -> list[Cell]:
    """The cells that one builds on."""
    if cell.arm == SCRATCH:
        return []
    if cell.arm == SHUFFLED:
        return [Cell(cell.target, cell.seed, SCRATCH)]
    past = [Cell(name, cell.seed, SCRATCH) for name in source if name != cell.target]
    control = [Cell(source[cell.target], cell.seed, SHUFFLED)] if cell.arm == CONTROL else []
    return past + control


def run(place: Place, cells: Sequence[Cell], source: Mapping[str, str], jobs: int) -> None:
    """Runs what is missing, `jobs` cells at once, each on one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes when they import torch
    os.environ["HF_HUB_OFFLINE"] = "1"
    waiting = [cell for cell in cells if not is_done(place, cell)]
    running: dict[Future[None], Cell] = {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        while waiting or running:
            ready = [cell for cell in waiting
                     if all(is_done(place, each) for each in needs(cell, source))]  # fmt: skip
            for cell in ready[: jobs - len(running)]:
                waiting.remove(cell)
                running[pool.submit(run_cell, place, cell)] = cell
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                left = len(waiting) + len(running) - 1
                print(f"{time.strftime('%H:%M:%S')} {running.pop(future).name}: "
                      f"{len(cells) - left} of {len(cells)}", flush=True)  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--jobs", type=int, default=2, help="cells at once, one thread each")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/text"))
    parser.add_argument("--cache", type=Path, default=CACHE / "inheritance")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="that are run")
    given = parser.parse_args()
    place = Place(given.data, given.cache, Settings())
    domains = load_domains(given.data)
    source = sources(domains)
    if given.action == "run":
        run(place, plan(source, given.seeds), source, given.jobs)
        return
    report(place, plan(source), domains, "python -m benchmarks.inheritance run, then report")


if __name__ == "__main__":
    main()

"""Plans and runs the cells of the inheritance benchmark, each after the cells it builds on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context

from benchmarks.inheritance.cells import (
    BOTH,
    CONTROL,
    HISTORY,
    SCRATCH,
    SHUFFLED,
    Cell,
    Place,
    is_done,
    run_cell,
)

SEEDS = (0, 1)


def plan(source: Mapping[str, str], seeds: Iterable[int] = SEEDS) -> list[Cell]:
    """Return all cells in their order: one seed with all its arms after the other.

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
    """Return the cells that one builds on."""
    if cell.arm == SCRATCH:
        return []
    if cell.arm == SHUFFLED:
        return [Cell(cell.target, cell.seed, SCRATCH)]
    past = [Cell(name, cell.seed, SCRATCH) for name in source if name != cell.target]
    control = [Cell(source[cell.target], cell.seed, SHUFFLED)] if cell.arm == CONTROL else []
    return past + control


def run(place: Place, cells: Sequence[Cell], source: Mapping[str, str], jobs: int) -> None:
    """Run what is missing, `jobs` cells at once, each on one thread."""
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

"""Asks whether the robust figure inside a search puts configurations in the right order.

Twenty differently trained networks on digits (`digits_models.py`), L-infinity 0.1. Of each:
- the figure that a search would use: PGD-10 on part B of the validation split (149 images), without
  attack memory;
- on the 500 images of the test split, example by example: the same attack, its parts alone, and
  the judges: APGD on cross-entropy and targeted (`pyautoattack`), then all of AutoAttack.

A pair of networks really differs if the paired difference of the judge's flags on the 500 images
exceeds two standard errors. Goal: 95 % of these pairs in the right order by the search's figure.
Beside it Spearman's correlation with AutoAttack, and the one that AutoAttack's halves (250 images
each) have with each other, which is about what any figure on so few images can reach.

Nothing was tuned on these images. `run` goes on where it was killed; NOTE: the code of `models/`
is no part of a cell's identity. After a change there, give a new `--cache`.
Cost: about 25 minutes of one core.

    python -m benchmarks.cheap_figure run --jobs 2
    python -m benchmarks.cheap_figure report
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cheap_figure_report import report
from benchmarks.digits_models import EPOCHS, models
from benchmarks.stored_results import CACHE, StoredResults
from models.catalog import Threat, complete

THREAT = Threat(norm="linf", epsilon=0.1)
# Attacks of ours on the 500 images: name -> what is ascended.
PARTS: dict[str, tuple[str, ...]] = {
    "PGD-10, as in a search": ("scaled_cross_entropy", "targeted_margin"),
    "PGD-10 on scaled cross-entropy and the best margin": ("scaled_cross_entropy", "margin"),
    "PGD-10 on the margins alone": ("targeted_margin",),
    "PGD-10 on cross-entropy alone": ("cross_entropy",),
}
JUDGE, AUTOATTACK = "APGD-CE and APGD-T", "AutoAttack"


def key(name: str, seed: int) -> dict[str, Any]:
    """What a cell depends on, the code aside."""
    return {"model": name, "configuration": models()[name], "epochs": EPOCHS, "seed": seed}


def run_cell(name: str, seed: int) -> dict[str, Any]:
    """One network: its figure in a search, and flags and seconds of every attack."""
    import torch

    from models.adversarial.pixels.autoattack import autoattack
    from models.adversarial.pixels.evaluation import correct, measure
    from models.data.loading import load_images
    from models.training.cnn import CNNTraining

    torch.set_num_threads(1)
    training = CNNTraining(
        complete("cnn", models()[name]), load_images({"name": "digits"}), epochs=EPOCHS, seed=seed,
        threat=THREAT,
    )  # fmt: skip
    last = list(training.run())[-1]
    model, (images, labels) = training.classifier(), training.examples("test")
    flags: dict[str, Any] = {"clean": correct(model, images, labels)}
    seconds: dict[str, float] = {}
    for part, losses in PARTS.items():
        found, seconds[part] = timed(
            lambda losses=losses: measure(model, images, labels, THREAT, 1, losses=losses).robust  # type: ignore[misc]
        )
        flags[part] = found
    start = flags["clean"]
    for judge, attacks in ((JUDGE, ("apgd-ce", "apgd-t")), (AUTOATTACK, ("fab-t", "square"))):
        start, seconds[judge] = timed(
            lambda start=start, attacks=attacks: (
                autoattack(  # type: ignore[misc]
                    model, images, labels, THREAT, 0, attacks=attacks, start=start
                ).robust
            )
        )
        flags[judge] = start
    seconds[AUTOATTACK] += seconds[JUDGE]
    return {
        "in search": last[THREAT.metric()],
        "clean in search": last["accuracy.clean"],
        "seconds.train": last["seconds.train"] * EPOCHS,
        "flags": {part: np.asarray(found).astype(int).tolist() for part, found in flags.items()},
        "seconds": seconds,
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def run(cache: Path, jobs: int, seed: int) -> None:
    """Does what is missing."""
    results = StoredResults(cache, "cheap-figure")
    missing = [name for name in models() if results.get(key(name, seed)) is None]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(run_cell, name, seed): name for name in missing}
        for done in as_completed(pending):
            name = pending[done]
            results.put(key(name, seed), done.result())
            print(f"{name}: {done.result()['in search']:.3f} in a search", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("do", choices=("run", "report"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    given = parser.parse_args()
    if given.do == "run":
        run(given.cache, given.jobs, given.seed)
        return
    results = StoredResults(given.cache, "cheap-figure")
    cells = {name: results.get(key(name, given.seed)) for name in models()}
    missing = [name for name, cell in cells.items() if cell is None]
    if missing:
        raise SystemExit(f"not run yet: {', '.join(missing)}")
    report({name: cell for name, cell in cells.items() if cell is not None}, list(PARTS))


if __name__ == "__main__":
    main()

"""Compares ways of training against attacks: at equal epochs, and at equal compute.

On digits, each method as its paper has it, at the size of the attack (L-infinity, `--epsilon`).
Equal compute means as many passes forward and backward through the network for an example:
a PGD training with five steps takes six an epoch, so plain training gets six times its epochs.
Judged on the 500 test images by APGD on cross-entropy and targeted; three seeds. The figures are
those of one data set and untuned settings: a method that a search may choose need not be good here.

Nothing was tuned on these images. `run` goes on where it was killed; NOTE: the code of `models/` is
no part of a cell's identity. After a change there, give a new `--cache`.
Cost: about 15 minutes of one core for one epsilon.

    python -m benchmarks.training_methods run --jobs 2
    python -m benchmarks.training_methods report
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import reference
from benchmarks.digits_models import EPOCHS, SHARED
from benchmarks.stored_results import CACHE, StoredResults
from models.catalog import Threat, complete

EPSILON = 0.1
SEEDS = (0, 1, 2)
STEPS, REPLAYS = 5, 4
# Passes forward and backward an example and epoch; every cell checks what its training reports.
PASSES = {
    "none": 1, "fgsm": 2, "pgd": STEPS + 1, "trades": STEPS + 2, "mart": STEPS + 2,
    "free": REPLAYS,
}  # fmt: skip
COMPUTE = EPOCHS * PASSES["pgd"]


def configuration(method: str, epsilon: float) -> dict[str, Any]:
    """A method at this size; everything else at its default."""
    if method == "none":
        return dict(SHARED)
    own = {"pgd": {"steps": STEPS}, "trades": {"steps": STEPS}, "mart": {"steps": STEPS},
           "free": {"replays": REPLAYS}}.get(method, {})  # fmt: skip
    settings = {"epsilon": epsilon, **own}
    named = {f"{method}.{name}": value for name, value in settings.items()}
    return {**SHARED, "adversarial_training": method, **named}


def cells(epsilon: float) -> Iterator[dict[str, Any]]:
    """What there is to train, as keys."""
    for method, passes in PASSES.items():
        for epochs in dict.fromkeys((EPOCHS, round(COMPUTE / passes))):
            for seed in SEEDS:
                yield {"method": method, "epsilon": epsilon, "epochs": epochs, "seed": seed}


def run_cell(cell: dict[str, Any]) -> dict[str, Any]:
    """Trains and judges one network."""
    import torch

    from models.adversarial.pixels.autoattack import autoattack
    from models.data.loading import load_images
    from models.training.cnn import CNNTraining

    torch.set_num_threads(1)
    threat = Threat(norm="linf", epsilon=cell["epsilon"])
    training = CNNTraining(
        complete("cnn", configuration(cell["method"], cell["epsilon"])),
        load_images({"name": "digits"}), epochs=cell["epochs"], seed=cell["seed"], threat=threat,
    )  # fmt: skip
    curve = list(training.run())
    images, labels = training.examples("test")
    judged = autoattack(
        training.classifier(), images, labels, threat, 0, attacks=("apgd-ce", "apgd-t")
    )
    return {
        "clean": float(judged.clean.mean()),
        "robust": float(judged.robust.mean()),
        "passes": curve[-1]["gradients.train"],
        "seconds": sum(epoch["seconds.train"] for epoch in curve),
        "selected": curve[-1]["epoch.selected"],
    }


def run(cache: Path, jobs: int, epsilon: float) -> None:
    """Does what is missing."""
    results = StoredResults(cache, "training-methods")
    missing = [cell for cell in cells(epsilon) if results.get(cell) is None]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(run_cell, cell): cell for cell in missing}
        for done in as_completed(pending):
            cell, result = pending[done], done.result()
            results.put(cell, result)
            print(cell, f"clean {result['clean']:.3f} robust {result['robust']:.3f}", flush=True)


def report(cache: Path, epsilon: float) -> None:
    """Writes results/reference/training_methods.*."""
    results, found = StoredResults(cache, "training-methods"), {}
    for cell in cells(epsilon):
        result = results.get(cell)
        if result is None:
            raise SystemExit(f"not run yet: {cell}")
        found.setdefault((cell["method"], cell["epochs"]), []).append(result)
    rows = []
    for (method, epochs), results_of in found.items():
        figures = {
            name: np.array([each[name] for each in results_of]) for name in ("clean", "robust")
        }
        expected = PASSES[method] * epochs
        passes = float(np.mean([each["passes"] for each in results_of]))
        rows.append([
            method, epochs, f"{passes:.0f}" + ("" if round(passes) == expected else " (!)"),
            f"{np.median([each['seconds'] for each in results_of]):.1f}",
            *(f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"
              for values in figures.values()),
        ])  # fmt: skip
    body = [
        "# Ways of training against attacks, at equal epochs and at equal compute", "",
        f"Digits, L-infinity {epsilon}; mean and range of {len(SEEDS)} seeds on 500 test images, "
        f"attacked by APGD on cross-entropy and targeted. Equal compute: about {COMPUTE} passes "
        f"forward and backward an example, what PGD with {STEPS} steps takes in {EPOCHS} epochs.",
        "",
        *reference.table(["method", "epochs", "passes", "seconds (median)", "clean", "robust"],
                         rows),
    ]  # fmt: skip
    raw = {"cells": [{**cell, **(results.get(cell) or {})} for cell in cells(epsilon)]}
    command = f"python -m benchmarks.training_methods run --epsilon {epsilon}, then report"
    reference.write("training_methods", command, body, raw)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("do", choices=("run", "report"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--epsilon", type=float, default=EPSILON)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    if given.do == "run":
        run(given.cache, given.jobs, given.epsilon)
    else:
        report(given.cache, given.epsilon)


if __name__ == "__main__":
    main()

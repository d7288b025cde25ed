"""Trains and attacks the networks of the cheap-metric benchmark, a cell each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cheap_metric.networks import EPOCHS, models
from benchmarks.cheap_metric.report import AUTOATTACK, FINAL
from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.code_version import models_version
from models.catalog import Threat, complete

THREAT = Threat(norm="linf", epsilon=0.1)
# Our attacks on the 500 images: name -> the losses that they maximize.
PARTS: dict[str, tuple[str, ...]] = {
    "PGD-10, as in a search": ("scaled_cross_entropy", "targeted_margin"),
    "PGD-10 on scaled cross-entropy and the best margin": ("scaled_cross_entropy", "margin"),
    "PGD-10 on the margins alone": ("targeted_margin",),
    "PGD-10 on cross-entropy alone": ("cross_entropy",),
}


def key(name: str, seed: int) -> dict[str, Any]:
    """Return what a cell depends on."""
    return {"model": name, "configuration": models()[name], "epochs": EPOCHS, "seed": seed,
            "code": models_version()}  # fmt: skip


def run_cell(name: str, seed: int) -> dict[str, Any]:
    """Train and attack one network: its metric in a search, flags and seconds of every attack."""
    import torch

    from models.adversarial.pixels.autoattack import autoattack
    from models.adversarial.pixels.evaluation import correct, measure
    from models.data.loading import load_images
    from models.training.network import network_training

    torch.set_num_threads(1)
    training = network_training(
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
    for final, attacks in ((FINAL, ("apgd-ce", "apgd-t")), (AUTOATTACK, ("fab-t", "square"))):
        start, seconds[final] = timed(
            lambda start=start, attacks=attacks: (
                autoattack(  # type: ignore[misc]
                    model, images, labels, THREAT, 0, attacks=attacks, start=start
                ).robust
            )
        )
        flags[final] = start
    seconds[AUTOATTACK] += seconds[FINAL]
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
    """Do what is missing."""
    results = StoredResults(cache, "cheap-metric")
    missing = [(name, seed) for name in models() if results.get(key(name, seed)) is None]
    for (name, _), result in in_parallel(run_cell, missing, jobs):
        results.put(key(name, seed), result)
        print(f"{name}: {result['in search']:.3f} in a search", flush=True)

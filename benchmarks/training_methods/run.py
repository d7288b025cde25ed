"""Trains the networks of the training-methods benchmark and attacks them, a cell each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cheap_metric.networks import EPOCHS, SHARED
from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.code_version import models_version
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
    """Return a method at this size; everything else at its default."""
    if method == "none":
        return dict(SHARED)
    own = {"pgd": {"steps": STEPS}, "trades": {"steps": STEPS}, "mart": {"steps": STEPS},
           "free": {"replays": REPLAYS}}.get(method, {})  # fmt: skip
    settings = {"epsilon": epsilon, **own}
    named = {f"{method}.{name}": value for name, value in settings.items()}
    return {**SHARED, "adversarial_training": method, **named}


def cells(epsilon: float) -> Iterator[dict[str, Any]]:
    """Yield what there is to train."""
    for method, passes in PASSES.items():
        for epochs in dict.fromkeys((EPOCHS, round(COMPUTE / passes))):
            for seed in SEEDS:
                yield {"method": method, "epsilon": epsilon, "epochs": epochs, "seed": seed}


def run_cell(cell: dict[str, Any]) -> dict[str, Any]:
    """Train and attack one network."""
    import torch

    from models.adversarial.pixels.autoattack import autoattack
    from models.data.loading import load_images
    from models.training.network import network_training

    torch.set_num_threads(1)
    threat = Threat(norm="linf", epsilon=cell["epsilon"])
    training = network_training(
        complete("cnn", configuration(cell["method"], cell["epsilon"])),
        load_images({"name": "digits"}), epochs=cell["epochs"], seed=cell["seed"], threat=threat,
    )  # fmt: skip
    curve = list(training.run())
    images, labels = training.examples("test")
    attacked = autoattack(
        training.classifier(), images, labels, threat, 0, attacks=("apgd-ce", "apgd-t")
    )
    return {
        "clean": float(attacked.clean.mean()),
        "robust": float(attacked.robust.mean()),
        "passes": curve[-1]["gradients.train"],
        "seconds": sum(epoch["seconds.train"] for epoch in curve),
        "selected": curve[-1]["epoch.selected"],
    }


def key(cell: dict[str, Any]) -> dict[str, Any]:
    """Return the key of a cell's result; a method is known by its values, which may change."""
    values = configuration(cell["method"], cell["epsilon"])
    return {**cell, "values": values, "code": models_version()}


def run(cache: Path, jobs: int, epsilon: float) -> None:
    """Do what is missing."""
    results = StoredResults(cache, "training-methods")
    missing = [(cell,) for cell in cells(epsilon) if results.get(key(cell)) is None]
    for (cell,), result in in_parallel(run_cell, missing, jobs):
        results.put(key(cell), result)
        print(cell, f"clean {result['clean']:.3f} robust {result['robust']:.3f}", flush=True)

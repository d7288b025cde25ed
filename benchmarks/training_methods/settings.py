"""What the settings of two papers bring to adversarial training by PGD: a cell a training.

Each setting changes one thing of the PGD training of `run.py`; "the papers" changes all at once.
The papers train 110 and 200 epochs on CIFAR-10 by SGD, these are 15 on digits by AdamW, so weight
decay has a tenth of their steps to act: it is tried at a thousand times their value too.

Sources: Rice, Wong, Kolter 2020, "Overfitting in adversarially robust deep learning"; Pang et al.
2021, "Bag of tricks for adversarial training".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cheap_metric.networks import EPOCHS
from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.code_version import models_version
from benchmarks.harness.tables import table
from benchmarks.training_methods.run import SEEDS, configuration
from models.catalog import Threat, complete
from models.scores.metric_names import on_split

_PANG = 100 / 110
_ON_VALIDATION = 20
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "as without them": {},
    "weight decay 5e-4": {"adversarial_weight_decay": 5e-4},
    "weight decay 0.5": {"adversarial_weight_decay": 0.5},
    "crafted in train mode": {"crafting_mode": "train"},
    "steps at 1/2, 3/4 (Rice)": {"schedule": "step"},
    "steps at 10/11, 21/22 (Pang)": {"schedule": "step", "step.start": _PANG},
    "the papers: SGD, 5e-4, late steps, batches of 128": {
        "optimizer": "sgd", "sgd.learning_rate": 0.1, "adversarial_weight_decay": 5e-4,
        "schedule": "step", "step.start": _PANG, "batch_size": 128,
    },
}  # fmt: skip


def run(cache: Path, jobs: int, epsilon: float) -> None:
    """Train and attack what is missing, and print a table of all."""
    results = StoredResults(cache, "training-settings")
    missing = [(cell,) for _, cell in cells(epsilon) if results.get(_key(cell)) is None]
    for (cell,), result in in_parallel(_run_cell, missing, jobs):
        results.put(_key(cell), result)
    print(
        "\n".join(table(("setting", "clean", "robust", "robust, paired"), _rows(results, epsilon)))
    )


def cells(epsilon: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of a setting and what there is to train, by its values."""
    for setting, changed in SETTINGS.items():
        for seed in SEEDS:
            values = configuration("pgd", epsilon) | changed
            yield setting, {"values": values, "epsilon": epsilon, "epochs": EPOCHS, "seed": seed}


def _key(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {**cell, "code": models_version()}


def _run_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Train one network; attack the test images by the search's full attack, PGD on ten losses."""
    import torch

    from models.data.loading import load_images
    from models.training.network import NetworkTraining

    torch.set_num_threads(1)
    # The attack on the validation split is not looked at here.
    threat = Threat(norm="linf", epsilon=cell["epsilon"], examples=_ON_VALIDATION)
    training = NetworkTraining(
        complete("cnn", cell["values"]), load_images({"name": "digits"}),
        epochs=cell["epochs"], seed=cell["seed"], threat=threat,
    )  # fmt: skip
    for _ in training.run():
        pass
    found = training.evaluate_test()
    return {
        "clean": found[on_split("test", "accuracy.clean")],
        "robust": found[on_split("test", threat.metric())],
    }


def _rows(results: StoredResults, epsilon: float) -> Iterator[list[str]]:
    """Yield a row a setting: means and ranges, and the mean difference to the first setting."""
    found: dict[str, list[dict[str, Any]]] = {}
    for setting, cell in cells(epsilon):
        result = results.get(_key(cell))
        assert result is not None, cell
        found.setdefault(setting, []).append(result)
    first, *_ = found.values()
    for setting, of_seeds in found.items():
        clean, robust, plain = (
            np.array([each[name] for each in many])
            for name, many in (("clean", of_seeds), ("robust", of_seeds), ("robust", first))
        )
        gains = robust - plain
        texts = (f"{each.mean():.3f} ({each.min():.3f} to {each.max():.3f})"
                 for each in (clean, robust))  # fmt: skip
        yield [setting, *texts, f"{gains.mean():+.3f} ({gains.min():+.3f} to {gains.max():+.3f})"]

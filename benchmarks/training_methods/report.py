"""The report of the training-methods benchmark: accuracy by method, epochs and compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.cheap_metric.networks import EPOCHS
from benchmarks.harness import provenance, tables
from benchmarks.training_methods.run import COMPUTE, PASSES, SEEDS, STEPS


def report(
    done: Sequence[Mapping[str, Any]],
    epsilon: float,
    command: str,
) -> None:
    """Write results/reference/training_methods.*.

    Args:
        done: Every cell with its result.
        epsilon: Size of the attack.
        command: That measured them.
    """
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for cell in done:
        found.setdefault((cell["method"], cell["epochs"]), []).append(cell)
    rows = []
    for (method, epochs), results_of in found.items():
        metrics = {
            name: np.array([each[name] for each in results_of]) for name in ("clean", "robust")
        }
        expected = PASSES[method] * epochs
        passes = float(np.mean([each["passes"] for each in results_of]))
        rows.append([
            method, epochs, f"{passes:.0f}" + ("" if round(passes) == expected else " (!)"),
            f"{np.median([each['seconds'] for each in results_of]):.1f}",
            *(f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"
              for values in metrics.values()),
        ])  # fmt: skip
    body = [
        "# Ways of training against attacks, at equal epochs and at equal compute", "",
        f"Digits, L-infinity {epsilon}; mean and range of {len(SEEDS)} seeds on 500 test images, "
        f"attacked by APGD on cross-entropy and targeted. Equal compute: about {COMPUTE} passes "
        f"forward and backward an example, what PGD with {STEPS} steps takes in {EPOCHS} epochs.",
        "",
        *tables.table(["method", "epochs", "passes", "seconds (median)", "clean", "robust"],
                         rows),
    ]  # fmt: skip
    provenance.write(
        "training_methods", body, {"cells": list(done)}, command=command,
        seeds=", ".join(map(str, SEEDS)),
    )  # fmt: skip

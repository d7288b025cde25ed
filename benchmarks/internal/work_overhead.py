"""Measures what it costs to count the work of a training: an epoch counted, and not counted.

Epochs of the built-in CNN on digits, with their evaluation, alternate between two trainings of the
same seed, one of which counts nothing. The cost of counting is one of each pass through the
network, so it is largest for the smallest networks. Times are CPU seconds of one thread, and the
ratio is of medians: other work on the machine blurs it.

Cost: a minute.

    python -m benchmarks.internal.work_overhead
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.harness import tables
from benchmarks.harness.command_line import parser
from models.catalog import Threat, Value, complete
from models.data.loading import ImageSplits, load_images
from models.training.network import NetworkTraining
from models.training.work import WorkMeter

CONFIGURATIONS: dict[str, dict[str, Value]] = {
    "width 8": {"width": 8},
    "width 32": {"width": 32},
    "width 16, PGD training": {"width": 16, "adversarial_training": "pgd"},
}


def seconds_of_epochs(
    configuration: dict[str, Value], data: ImageSplits, epochs: int
) -> tuple[list[float], list[float]]:
    """Return CPU seconds of each epoch but the first and last, not counted and counted."""

    def training() -> NetworkTraining:
        return NetworkTraining(
            complete("cnn", configuration), data, epochs=epochs, seed=0, threat=Threat()
        )

    plain, counted = training(), training()
    plain._meter = WorkMeter()  # of no network
    runs: tuple[Iterator[object], ...] = (plain.run(), counted.run())
    times: tuple[list[float], ...] = ([], [])
    for _ in range(epochs - 1):  # the last one has the full attack
        for run, found in zip(runs, times, strict=True):
            began = time.process_time()
            next(run)
            found.append(time.process_time() - began)
    return times[0][1:], times[1][1:]


def main() -> None:
    options = parser("internal.work_overhead", __doc__)
    options.add_argument("--epochs", type=int, default=40)
    given = options.parse_args()
    torch.set_num_threads(1)
    data, rows = load_images({"name": "digits"}), []
    for name, configuration in CONFIGURATIONS.items():
        plain, counted = map(np.median, seconds_of_epochs(configuration, data, given.epochs))
        rows.append([name, f"{plain:.3f}", f"{counted:.3f}", f"{counted / plain:.3f}"])
    print("\n".join(tables.table(["network", "not counted (s)", "counted (s)", "ratio"], rows)))


if __name__ == "__main__":
    main()

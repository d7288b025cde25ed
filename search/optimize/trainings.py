"""What a worker trains: the training of a task's model (`models/training/protocol.py`).

One of `models/training/` (a CNN, a transformer on texts or on images) or `FunctionTraining` (a
user's own function). Not for what happens around an epoch: see trial.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import AnyThreat, TextThreat, Threat, data_kind
from search.objectives import Objective
from search.optimize.confirming import MEMORY, Standing

if TYPE_CHECKING:
    from models.adversarial.attack_memory import AttackMemory
    from models.base_model import BaseModel
    from models.data import Splits
    from models.training.protocol import Training
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

    Its state is the number of epochs that it has reported: after an interruption the function is
    run again from its first epoch and what was already reported is skipped. It has ended when its
    budget is through, whatever else it would yield, or when the function returned before; that is
    found out when the next epoch is asked for. NaN is a value like any other here, for only the
    trial knows the objectives: it ends at one that is NaN (trial.py).
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
        self._epoch, self._has_returned = 0, False

    @property
    def ended(self) -> bool:
        """Whether no epoch is left: the budget is through, or the function has returned."""
        return self._has_returned or self._epoch >= self._epochs

    def run(self) -> Iterator[dict[str, float]]:
        """Yields the metrics of the epochs that are still to be reported."""
        if self.ended:
            return
        already = self._epoch
        epochs = self._function(self._configuration, epochs=self._epochs, seed=self._seed)
        for index, metrics in enumerate(epochs, start=1):
            if index > already:
                self._epoch = index
                yield dict(metrics)
                if self.ended:
                    return
        self._has_returned = True

    def state_dict(self) -> dict[str, object]:
        """How many epochs it has reported."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remembers how many epochs to skip."""
        self._epoch, self._has_returned = int(state["epoch"]), False


class WorkersBase:
    """The pretrained model that a worker keeps between its trials: loading costs seconds.

    Trials share its frozen weights. Whether one has changed them is looked at before the next one
    gets them, and then they are loaded again.
    """

    def __init__(self) -> None:
        self._loaded: LoadedBase | None = None
        self._checksum = ""

    def get(self, task: TaskOnWorker, data: Splits) -> LoadedBase:
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
    task: TaskOnWorker, config: Mapping[str, Any], data: Splits | None, workers_base: WorkersBase
) -> Training:
    """The training of one trial, ready to run or to be continued from a checkpoint.

    Args:
        task: What it shares with the others.
        config: `number`, `configuration` and `seed` of this trial. The driver has checked the
            configuration and completed it with the defaults (`Spec.complete`).
        data: The splits; None for a user's function.
        workers_base: What this worker has loaded already.
    """
    if task.model.startswith("python:"):
        function, configuration = _function(task.model), config["configuration"]
        return FunctionTraining(function, configuration, epochs=task.epochs, seed=config["seed"])
    import torch

    torch.set_num_threads(task.threads)
    assert data is not None, "only a user's function has no data"
    return _model_training(task, config, data, workers_base)


def _model_training(
    task: TaskOnWorker, config: Mapping[str, Any], data: Splits, workers_base: WorkersBase
) -> Training:
    """The training of a model of the catalog."""
    from models.data import ImageSplits

    configuration, epochs, seed = dict(config["configuration"]), task.epochs, config["seed"]
    initial = _initial(task, str(configuration.pop("initial_weights", task.starts_from)))
    base = None if task.base is None else workers_base.get(task, data)
    if not isinstance(data, ImageSplits):
        from models.training.text_fine_tuning import TextFineTuning

        assert isinstance(task.threat, TextThreat), "texts are attacked by their words"
        assert base is not None, "a model of texts starts from a pretrained one"
        return TextFineTuning(
            configuration, data, epochs=epochs, seed=seed, threat=task.threat, base=base,
            initial=initial,
        )  # fmt: skip
    assert isinstance(task.threat, Threat), "images are attacked by their pixels"
    memory = task.memory(config["number"])
    if base is not None:
        from models.training.image_fine_tuning import ImageFineTuning

        return ImageFineTuning(
            configuration, data, epochs=epochs, seed=seed, threat=task.threat, base=base,
            initial=initial, memory=memory,
        )  # fmt: skip
    from models.training.cnn import CNNTraining

    return CNNTraining(
        configuration, data, epochs=epochs, seed=seed, threat=task.threat, device=task.device,
        initial=initial, memory=memory,
    )  # fmt: skip


def _function(model: str) -> Callable[..., Iterator[Mapping[str, float]]]:
    """The user's function that `python:MODULE:NAME` names.

    Raises:
        ImportError: there is no such module.
        AttributeError: it has no such function.
    """
    module, _, name = model.removeprefix("python:").partition(":")
    function: Callable[..., Iterator[Mapping[str, float]]] = getattr(
        importlib.import_module(module), name
    )
    return function


def _initial(task: TaskOnWorker, name: str) -> InitialWeights | None:
    """The weights called `name`; None from scratch."""
    if name in ("", "scratch"):
        return None
    from models.weights.initial import load_initial

    return load_initial(task.initial_files[name])


def _load_base(task: TaskOnWorker, data: Splits) -> LoadedBase:
    from models.data import ImageSplits
    from models.transformer import LoadedBase

    assert task.base is not None, "only a fine-tuning has a pretrained model"
    kind, image = data_kind(task.model), None
    if isinstance(data, ImageSplits):
        _, channels, height, width = data.train_images.shape
        image = channels, height, width
    return LoadedBase(task.base, kind, data.label_names, image=image, device=task.device)

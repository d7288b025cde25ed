"""What a worker trains: the training of a task's model (`models/training/protocol.py`).

One of `models/training/` (a CNN, a transformer on texts or on images) or `FunctionTraining` (a
user's own function). Not for what happens around an epoch: see trainable.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import TextThreat, Threat, data_kind
from search.optimize.confirmation import MEMORY, Standing
from search.optimize.scheduler import compared_metrics
from search.spec import Spec

if TYPE_CHECKING:
    from models.adversarial.pixels.attack_memory import AttackMemory
    from models.data.loading import Splits
    from models.networks.base_model import BaseModel
    from models.networks.transformer import LoadedBase
    from models.training.protocol import Training
    from models.weights.initial import InitialWeights


@dataclass(frozen=True)
class TaskOnWorker:
    """What every trial of a search shares, except the data (which lie in the object store).

    Attributes:
        spec: Of the search.
        storage: Where the search's files are.
        generation: Of the driver.
        base: The pretrained model of a fine-tuning.
        initial_files: The weights that trials may start from: `SEARCH#TRIAL` to the file.
    """

    spec: Spec
    storage: Path
    generation: int
    base: BaseModel | None = None
    initial_files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """The full budget of a trial."""
        return self.spec.budget.epochs

    @property
    def epoch_seconds(self) -> float:
        """An epoch that takes longer hangs."""
        return 60 * self.spec.budget.epoch_minutes

    @property
    def threads(self) -> int:
        """How many a trial computes with."""
        return max(1, int(self.spec.resources.cpus))

    @property
    def device(self) -> str:
        """Where trials train."""
        return "cuda" if self.spec.resources.gpus > 0 else "cpu"

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """What the scheduler needs after every epoch but the last."""
        return tuple(compared_metrics(self.spec))

    def standing(self) -> Standing:
        """How this search's trials stand so far, for deciding whose figure is confirmed."""
        return Standing(self.storage / MEMORY, self.spec.seed, self.spec.objectives)

    def memory(self, number: int) -> AttackMemory | None:
        """What broke other trials of this search; None where images are not attacked."""
        if not isinstance(self.spec.threat, Threat):
            return None
        from models.adversarial.pixels.attack_memory import AttackMemory

        return AttackMemory(self.storage / MEMORY, f"trial_{number:04d}")


class FunctionTraining:
    """A user's own training function: a generator of one metrics dict an epoch.

    Its state is the number of epochs that it has reported: after an interruption the function is
    run again from its first epoch and what was already reported is skipped. It has ended when its
    budget is through, whatever else it would yield, or when the function returned before; that is
    found out when the next epoch is asked for. NaN is a value like any other here, for only the
    trial knows the objectives: it ends at one that is NaN (trainable.py).
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
    if task.spec.task.is_function:
        function, configuration = _function(task.spec.task.model), config["configuration"]
        return FunctionTraining(function, configuration, epochs=task.epochs, seed=config["seed"])
    import torch

    torch.set_num_threads(task.threads)
    assert data is not None, "only a user's function has no data"
    return _model_training(task, config, data, workers_base)


def _model_training(
    task: TaskOnWorker, config: Mapping[str, Any], data: Splits, workers_base: WorkersBase
) -> Training:
    """The training of a model of the catalog."""
    from models.data.loading import ImageSplits

    configuration, epochs, seed = dict(config["configuration"]), task.epochs, config["seed"]
    threat = task.spec.threat
    initial = _initial(task, str(configuration.pop("initial_weights", task.spec.starts_from)))
    base = None if task.base is None else workers_base.get(task, data)
    if not isinstance(data, ImageSplits):
        from models.training.text_fine_tuning import TextFineTuning

        assert isinstance(threat, TextThreat), "texts are attacked by their words"
        assert base is not None, "a model of texts starts from a pretrained one"
        return TextFineTuning(
            configuration, data, epochs=epochs, seed=seed, threat=threat, base=base,
            initial=initial,
        )  # fmt: skip
    assert isinstance(threat, Threat), "images are attacked by their pixels"
    memory = task.memory(config["number"])
    if base is not None:
        from models.training.image_fine_tuning import ImageFineTuning

        return ImageFineTuning(
            configuration, data, epochs=epochs, seed=seed, threat=threat, base=base,
            initial=initial, memory=memory,
        )  # fmt: skip
    from models.training.cnn import CNNTraining

    return CNNTraining(
        configuration, data, epochs=epochs, seed=seed, threat=threat, device=task.device,
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
    from models.data.loading import ImageSplits
    from models.networks.transformer import LoadedBase

    assert task.base is not None, "only a fine-tuning has a pretrained model"
    kind, image = data_kind(task.spec.task.model), None
    if isinstance(data, ImageSplits):
        _, channels, height, width = data.train_images.shape
        image = channels, height, width
    return LoadedBase(task.base, kind, data.label_names, image=image, device=task.device)

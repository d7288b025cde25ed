"""Worker task: make the training of a trial (`models/training/protocol.py`).

It is one of `models/training/`: of a CNN or the user's own network, of a transformer on texts or on
images, or by the user's own function. Not for checkpoints and reports: see trainable.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import TextThreat, Threat, data_kind
from models.networks.own_code import PassedCode, load_function
from models.training.device_name import device_name
from models.training.function import FunctionTraining
from models.training.trial_context import TrialPlace
from search.optimize.compared import compared_metrics
from search.optimize.confirmation import MEMORY, Standing
from search.optimize.trial_log import FILES
from search.spec import Spec

if TYPE_CHECKING:
    from models.adversarial.pixels.attack_memory import AttackMemory
    from models.data.loading import Splits
    from models.networks.base_model import BaseModel
    from models.networks.builder import Builder
    from models.networks.own_text import OwnTextNetwork
    from models.networks.transformer import LoadedBase
    from models.training.protocol import Training


CODE = "code"  # folder of a search's storage with its copy of the user's own code
OWN = "own"  # folder of a trial with the checkpoint folders that a user's function reported


@dataclass(frozen=True)
class TaskOnWorker:
    """What all trials of a search share, except the data (which are in the object store).

    Attributes:
        spec: The search's spec.
        storage: The folder of the search's files.
        generation: The driver's generation.
        base: The pretrained model of a fine-tuning.
        initial_files: The weights that trials may start from: `SEARCH#TRIAL` -> file.
        code: The digest of the user's own code, of which the storage has a copy; "" without any.
        passed: The user's own function, if a script or a notebook passed it.
    """

    spec: Spec
    storage: Path
    generation: int
    base: BaseModel | None = None
    initial_files: Mapping[str, Path] = field(default_factory=dict)
    code: str = ""
    passed: PassedCode | None = None

    @property
    def epochs(self) -> int:
        """The full budget of a trial."""
        return self.spec.budget.epochs

    @property
    def epoch_seconds(self) -> float:
        """The limit after which an epoch counts as a hang."""
        return 60 * self.spec.budget.epoch_minutes

    @property
    def device(self) -> str:
        """The device that trials train on."""
        return "cuda" if self.spec.resources.gpus > 0 else "cpu"

    @property
    def device_name(self) -> str:
        """The name of that device in this process, and how much of it a trial has."""
        resources = self.spec.resources
        return device_name(self.device, resources.gpus or resources.cpus)

    @property
    def snapshot(self) -> Path | PassedCode | None:
        """The folder with the copy of the user's own code, or the function that was passed."""
        return self.passed or (self.storage / CODE if self.code else None)

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """The metrics that the scheduler needs after every epoch but the last."""
        return tuple(compared_metrics(self.spec))

    def standing(self) -> Standing:
        """Returns the results of this search's trials so far, which decide what is confirmed."""
        return Standing(self.storage / MEMORY, self.spec.seed, self.spec.objectives)

    def memory(self, number: int) -> AttackMemory | None:
        """Returns the successful perturbations of other trials; None if images are not attacked."""
        if not isinstance(self.spec.threat, Threat):
            return None
        from models.adversarial.pixels.attack_memory import AttackMemory

        return AttackMemory(self.storage / MEMORY, f"trial_{number:04d}")


class WorkersBase:
    """The pretrained model that a worker keeps between its trials: loading takes seconds.

    Trials share its frozen weights. If a trial has changed them, which a checksum tells, they are
    loaded again for the next one.
    """

    def __init__(self) -> None:
        self._loaded: LoadedBase | OwnTextNetwork | None = None
        self._checksum = ""

    def get(self, task: TaskOnWorker, data: Splits) -> LoadedBase | OwnTextNetwork:
        """Returns the task's pretrained model with a head for the data's labels.

        Raises:
            ValueError: It cannot be loaded for this task.
        """
        if self._loaded is not None and self._loaded.checksum() == self._checksum:
            return self._loaded
        self._loaded = None  # free its memory before the next one is loaded
        self._loaded = _load_base(task, data)
        self._checksum = self._loaded.checksum()
        return self._loaded


def training_of(
    task: TaskOnWorker, config: Mapping[str, Any], data: Splits | None, workers_base: WorkersBase
) -> Training:
    """Makes the training of one trial, ready to run or to continue from a checkpoint.

    Args:
        task: What it shares with other trials.
        config: What `Plan.config` returns. The driver has checked the configuration and completed
            it with the defaults (`Spec.complete`).
        data: The splits; None for a user's function whose task names none.
        workers_base: The pretrained model that this worker keeps.

    Raises:
        ValueError: The user's function cannot be found or imported.
    """
    if task.spec.task.train is not None:
        return _function_training(task.spec.task.train, task, config, data)
    import torch

    torch.set_num_threads(max(1, int(task.spec.resources.cpus)))
    assert data is not None, "only a user's function has no data"
    return _model_training(task, config, data, workers_base)


def _function_training(
    reference: str, task: TaskOnWorker, config: Mapping[str, Any], data: Splits | None
) -> FunctionTraining:
    """Makes the training by the user's own function."""
    try:
        function = load_function(reference, task.code, task.snapshot)
    except SystemExit as error:  # it would end the worker
        message = f"{reference}: importing it called sys.exit; fix: keep that out of the module"
        raise ValueError(message) from error
    folder = Path(config["checkpoints"])
    place = TrialPlace(
        folder / FILES, folder / OWN / f"generation_{task.generation}", task.device, data,
        task.spec.robustness, max(1, int(task.spec.resources.cpus)),
    )  # fmt: skip
    return FunctionTraining(
        function, config["configuration"], epochs=task.epochs, seed=config["seed"], place=place
    )


def _model_training(
    task: TaskOnWorker, config: Mapping[str, Any], data: Splits, workers_base: WorkersBase
) -> Training:
    """Makes the training of a model of the catalog."""
    from models.data.loading import ImageSplits

    configuration, epochs, seed = dict(config["configuration"]), task.epochs, config["seed"]
    threat = task.spec.threat
    name = str(configuration.pop("initial_weights", task.spec.starts_from))
    initial = None
    if name not in ("", "scratch"):
        from models.weights.initial import load_initial

        initial = load_initial(task.initial_files[name])
    base = None if task.base is None else workers_base.get(task, data)
    if not isinstance(data, ImageSplits):
        from models.training.text_fine_tuning import TextFineTuning

        assert isinstance(threat, TextThreat), "texts are attacked in their words"
        assert base is not None, "a model of texts starts from a pretrained one"
        return TextFineTuning(
            configuration, data, epochs=epochs, seed=seed, threat=threat, base=base,
            initial=initial,
        )  # fmt: skip
    assert isinstance(threat, Threat), "images are attacked in their pixels"
    memory = task.memory(config["number"])
    if base is not None:
        from models.networks.transformer import LoadedBase
        from models.training.image_fine_tuning import image_fine_tuning

        assert isinstance(base, LoadedBase), "a user's own network on images has no base"
        return image_fine_tuning(
            configuration, data, epochs=epochs, seed=seed, threat=threat, base=base,
            initial=initial, memory=memory,
        )  # fmt: skip
    from models.networks import cnn
    from models.networks.own_network import load_builder
    from models.training.network import network_training

    network = task.spec.task.network
    builder: Builder = cnn.build
    if network is not None:
        builder = load_builder(network, task.code, task.snapshot)
    return network_training(
        configuration, data, epochs=epochs, seed=seed, threat=threat, device=task.device,
        initial=initial, memory=memory, builder=builder,
    )  # fmt: skip


def _load_base(task: TaskOnWorker, data: Splits) -> LoadedBase | OwnTextNetwork:
    from models.data.loading import ImageSplits
    from models.networks.own_network import load_builder
    from models.networks.own_text import OwnTextNetwork
    from models.networks.transformer import LoadedBase

    assert task.base is not None, "only a fine-tuning has a pretrained model"
    network = task.spec.task.network
    if network is not None:
        builder = load_builder(network, task.code, task.snapshot)
        return OwnTextNetwork(task.base, builder, data.label_names, device=task.device)
    kind, image = data_kind(task.spec.task.catalog_name), None
    if isinstance(data, ImageSplits):
        _, channels, height, width = data.train_images.shape
        image = channels, height, width
    return LoadedBase(task.base, kind, data.label_names, image=image, device=task.device)

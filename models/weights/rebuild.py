"""The model of a finished trial, rebuilt from its checkpoint for a transfer or an export.

The source's data are loaded again, for the names of its labels and its training examples. The
caller reads the trial from the tracking store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from models.catalog import Value, data_kind
from models.data.loading import ImageSplits, load_data
from models.networks import cnn
from models.networks.base_model import BaseModel
from models.networks.builder import Builder, NetworkData, network_data
from models.networks.own_network import load_builder
from models.weights.checkpoints import newest_checkpoint
from models.weights.from_checkpoint import from_adapted, from_network, trained_network
from models.weights.head_rows import Rows, rows_by_name
from models.weights.initial import InitialWeights, load_initial
from models.weights.overlap import Overlap, overlap_of


@dataclass(frozen=True)
class TrainedTrial:
    """A trained trial, with all that is needed to rebuild its model.

    Attributes:
        name: Name of the trial, for messages.
        model: Name of the model in the catalog.
        configuration: Complete hyperparameters.
        data: Settings of its data set.
        checkpoints: Folder of its checkpoints.
        base: The pretrained model that it adapted; None for a network trained from scratch.
        initial: File of the weights that it started from; None: none.
        network: The builder of the user's own network, which is imported; None for a model.
    """

    name: str
    model: str
    configuration: Mapping[str, Value]
    data: Mapping[str, Any]
    checkpoints: Path
    base: BaseModel | None = None
    initial: Path | None = None
    network: str | None = None

    def builder(self) -> Builder:
        """Return the builder of the built-in CNN, or of the user's own network."""
        return load_builder(self.network) if self.network else cnn.build


@dataclass(frozen=True)
class RebuiltModel:
    """A trained model: a network, or a transformer under its adaptation, with its data.

    `plain` is the pretrained base with a fresh head; None for a network, like `adapted`. `data` is
    what a network's builder was given; None for a transformer.
    """

    model: nn.Module
    label_names: tuple[str, ...]
    splits: Any
    adapted: Any = None
    plain: nn.Module | None = None
    data: NetworkData | None = None


@dataclass(frozen=True)
class ExtractedWeights:
    """Initial weights for a target, with the data overlap and the head's rows; no lineage yet."""

    weights: InitialWeights
    overlap: Overlap
    rows: Rows


def rebuild(trained: TrainedTrial) -> RebuiltModel:
    """Rebuild the model of a trial from its last checkpoint, in eval mode on the CPU.

    Raises:
        FileNotFoundError: the checkpoint or its initial weights are missing.
        DataError: the data set cannot be read.
    """
    checkpoint = newest_checkpoint(trained.checkpoints)
    if checkpoint is None:
        raise FileNotFoundError(f"{trained.name}: no checkpoint in {trained.checkpoints}")
    state = checkpoint.load_state()
    splits = load_data(trained.data, data_kind(trained.model))
    names = tuple(splits.label_names)
    if trained.base is not None and trained.network is not None:
        from models.networks.own_text import text_data  # transformers takes seconds
        from models.networks.transformer import quietly

        data = text_data(trained.base, names)
        with quietly():
            model = trained_network(
                state["weights"], trained.builder(), trained.configuration, data
            )
        return RebuiltModel(model, names, splits, data=data)
    if trained.base is not None:
        return _transformer(trained, trained.base, state, names, splits)
    assert isinstance(splits, ImageSplits), "only a network on images has no base"
    data = network_data(splits)
    model = trained_network(state["model"], trained.builder(), trained.configuration, data)
    return RebuiltModel(model, names, splits, data=data)


def extract_weights(
    trained: TrainedTrial, ancestors: Sequence[Mapping[str, Any]], target_data: Mapping[str, Any]
) -> ExtractedWeights:
    """Extract initial weights from a trial, and its overlap with the target's splits.

    Args:
        trained: The source.
        ancestors: Data settings of the trials that the source itself started from.
        target_data: Data settings of the target.

    Raises:
        FileNotFoundError: the checkpoint is missing.
        DataError: one of the data sets cannot be read.
        ValueError: the images of the two tasks have different shapes.
    """
    kind = data_kind(trained.model)
    rebuilt = rebuild(trained)
    target = load_data(target_data, kind)
    ours, theirs = _shape(target), _shape(rebuilt.splits)
    if ours is not None and theirs is not None and ours != theirs:
        raise ValueError(
            f"the source was trained on images of {'x'.join(map(str, theirs))}, the target has "
            f"{'x'.join(map(str, ours))}; fix: set task.data.image_size so that both are equal"
        )
    seen = [rebuilt.splits, *(load_data(settings, kind) for settings in ancestors)]
    if rebuilt.data is not None:
        weights = from_network(
            rebuilt.model, trained.builder(), trained.configuration, rebuilt.data
        )
    else:
        assert rebuilt.plain is not None
        weights = from_adapted(rebuilt.adapted, rebuilt.plain, rebuilt.label_names)
    rows = rows_by_name(rebuilt.label_names, tuple(target.label_names))
    return ExtractedWeights(weights, overlap_of(seen, target), rows)


def _transformer(
    trained: TrainedTrial,
    base: BaseModel,
    state: Mapping[str, Any],
    names: tuple[str, ...],
    splits: Any,
) -> RebuiltModel:
    # Importing transformers takes seconds, a CNN does not need it.
    from models.networks.transformer import LoadedBase
    from models.weights.starting_model import start

    loaded = LoadedBase(base, data_kind(trained.model), names, image=_shape(splits))
    plain = loaded.fresh(0, trained.configuration, own_copy=True)
    # A checkpoint holds the trained weights, not the frozen ones below the adaptation.
    initial = None if trained.initial is None else load_initial(trained.initial)
    # Nothing is trained here: the loaded state does not depend on the seed and the number of steps.
    adapted = start(loaded, trained.configuration, steps=1000, seed=0, initial=initial)
    adapted.load(state["weights"])
    return RebuiltModel(adapted.model.eval(), names, splits, adapted, plain.eval())


def _shape(splits: Any) -> tuple[int, int, int] | None:
    """Return (channels, height, width) of a data set of images; None for texts."""
    if not hasattr(splits, "train_images"):
        return None
    _, channels, height, width = splits.train_images.shape
    return channels, height, width

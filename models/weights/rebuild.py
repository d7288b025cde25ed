"""The model of a finished trial, rebuilt from its checkpoint: to start from it, or to export it.

The source's data are loaded again, for the names of its labels and for what it was trained on. Not
for finding trials: whoever calls has read them from the tracking store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from models.catalog import Value, data_kind
from models.data.loading import load_data
from models.networks.base_model import BaseModel
from models.networks.cnn import CNN
from models.weights.checkpoints import newest_checkpoint
from models.weights.extract import from_adapted, from_cnn, trained_cnn
from models.weights.head_rows import Rows, rows_by_name
from models.weights.initial import InitialWeights, apply_initial, load_initial
from models.weights.overlap import Overlap, overlap_of


@dataclass(frozen=True)
class Trained:
    """What it takes to rebuild the model of a trial.

    Attributes:
        name: Of the trial, for messages.
        model: In the catalog.
        configuration: Complete.
        data: Settings of its data set.
        checkpoints: Folder of its checkpoints.
        base: The pretrained model it adapted; None for a CNN.
        initial: File of the weights it started from itself; None: none.
    """

    name: str
    model: str
    configuration: Mapping[str, Value]
    data: Mapping[str, Any]
    checkpoints: Path
    base: BaseModel | None = None
    initial: Path | None = None


@dataclass(frozen=True)
class Rebuilt:
    """A trained model: a CNN, or a transformer under its adaptation, with what tells of it.

    `plain` is the pretrained base with a fresh head; None for a CNN, as is `adapted`.
    """

    model: nn.Module
    label_names: tuple[str, ...]
    splits: Any
    adapted: Any = None
    plain: nn.Module | None = None


@dataclass(frozen=True)
class ExtractedWeights:
    """Initial weights for a target, with what was compared; the lineage is still empty."""

    weights: InitialWeights
    overlap: Overlap
    rows: Rows


def rebuild(trained: Trained) -> Rebuilt:
    """The model of a trial as its last checkpoint left it, in evaluation mode on the CPU.

    Raises:
        FileNotFoundError: the checkpoint is gone, or the weights it started from.
        DataError: the data set cannot be read.
    """
    checkpoint = newest_checkpoint(trained.checkpoints)
    if checkpoint is None:
        raise FileNotFoundError(f"{trained.name}: no checkpoint in {trained.checkpoints}")
    state = checkpoint.load_state()
    splits = load_data(trained.data, data_kind(trained.model))
    names = tuple(splits.label_names)
    if trained.base is not None:
        return _transformer(trained, trained.base, state, names, splits)
    shape = _shape(splits)
    assert shape is not None, "only a model of images has no base"
    return Rebuilt(trained_cnn(state, trained.configuration, shape, len(names)), names, splits)


def extract_weights(
    trained: Trained, ancestors: Sequence[Mapping[str, Any]], target_data: Mapping[str, Any]
) -> ExtractedWeights:
    """Initial weights from a trial, and what its training has seen of the target's splits.

    Args:
        trained: The source.
        ancestors: Data settings of the trials that the source itself started from.
        target_data: Data settings of the target.

    Raises:
        FileNotFoundError: the checkpoint is gone.
        DataError: one of the data sets cannot be read.
        ValueError: the images of the two tasks are of different shapes.
    """
    kind = data_kind(trained.model)
    rebuilt = rebuild(trained)
    target = load_data(target_data, kind)
    if hasattr(target, "train_images"):
        _check_shapes(rebuilt.splits, target)
    seen = [rebuilt.splits, *(load_data(settings, kind) for settings in ancestors)]
    if isinstance(rebuilt.model, CNN):
        weights = from_cnn(rebuilt.model, rebuilt.label_names)
    else:
        assert rebuilt.plain is not None
        weights = from_adapted(rebuilt.adapted, rebuilt.plain, rebuilt.label_names)
    rows = rows_by_name(rebuilt.label_names, tuple(target.label_names))
    return ExtractedWeights(weights, overlap_of(seen, target), rows)


def _check_shapes(source: Any, target: Any) -> None:
    theirs, ours = source.train_images.shape[1:], target.train_images.shape[1:]
    if theirs != ours:
        raise ValueError(
            f"the source saw images of {'x'.join(map(str, theirs))}, the target has "
            f"{'x'.join(map(str, ours))}: set task.data.image_size so that both are alike"
        )


def _transformer(
    trained: Trained, base: BaseModel, state: Mapping[str, Any], names: tuple[str, ...], splits: Any
) -> Rebuilt:
    from models.adaptation import adapt  # transformers cost seconds to import, a CNN needs none
    from models.networks.transformer import LoadedBase

    configuration = trained.configuration
    loaded = LoadedBase(base, data_kind(trained.model), names, image=_shape(splits))
    plain = loaded.fresh(0, configuration, own_copy=True)
    below = loaded.fresh(0, configuration, own_copy=True)
    # A checkpoint holds what was trained, not what lay frozen below it.
    initial = None if trained.initial is None else load_initial(trained.initial)
    if initial is not None and initial.is_merged:
        apply_initial(below, initial, names)
    # Nothing is trained here: the seed and the number of steps leave no trace in the loaded state.
    adapted = adapt(below, configuration, steps=1000, seed=0)
    if initial is not None and not initial.is_merged:
        apply_initial(adapted.model, initial, names)
    adapted.load(state["weights"])
    return Rebuilt(adapted.model.eval(), names, splits, adapted, plain.eval())


def _shape(splits: Any) -> tuple[int, int, int] | None:
    """(channels, height, width) of a data set of images; None for texts."""
    if not hasattr(splits, "train_images"):
        return None
    _, channels, height, width = splits.train_images.shape
    return channels, height, width

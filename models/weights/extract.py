"""Initial weights taken from the checkpoint of a trial.

Only the newest checkpoint is there, so it is of the last epoch (or, of a training that has ended,
of the epoch it picked). Not for deciding whether a transfer is allowed: `overlap.py` compares
the data, and whoever calls compares model and base.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.hyperparameters.hyperparameter import Value
from models.networks.cnn import CNN
from models.weights.head_rows import head_tensors
from models.weights.initial import InitialWeights

# The input's normalisation belongs to the data, not to what was learned from them.
_OF_THE_DATA = ("mean", "std")
# peft keeps trained layers beside the frozen ones under this name.
_SAVED = "modules_to_save.default."


def trained_cnn(
    state: Mapping[str, Any],
    configuration: Mapping[str, Value],
    shape: tuple[int, int, int],
    labels: int,
) -> CNN:
    """The network of a checkpoint of `models.training.cnn.CNNTraining`, in evaluation mode.

    Args:
        state: the checkpoint's state.
        configuration: what it was trained with.
        shape: (channels, height, width) of its images.
        labels: how many it tells apart.

    Raises:
        RuntimeError: the state is that of another configuration.
    """
    model = CNN(configuration, shape, labels)
    model.load_state_dict(state["model"])
    return model.eval()


def from_cnn(model: CNN, label_names: tuple[str, ...]) -> InitialWeights:
    """Initial weights from a trained network; the input's normalisation is left to the target."""
    tensors = {
        name: tensor for name, tensor in model.state_dict().items() if name not in _OF_THE_DATA
    }
    return InitialWeights(tensors, head_tensors(model, len(label_names)), label_names)


def from_adapted(adapted: Any, plain: nn.Module, label_names: tuple[str, ...]) -> InitialWeights:
    """Initial weights from a fine-tuned transformer.

    Args:
        adapted: the `Adapted` model with its trained state loaded.
        plain: the same base as it was before, with any head: only what differs from it travels.
        label_names: of the head's rows; empty for a language model.
    """
    head = head_tensors(plain, len(label_names))
    merged = adapted.merged()
    if merged is not None:
        before, after = plain.state_dict(), merged.state_dict()
        changed = {
            name: tensor
            for name, tensor in after.items()
            if name in head or not torch.equal(tensor.cpu(), before[name].cpu())
        }
        return InitialWeights(changed, head, label_names)
    trained = _trained(adapted.model)
    own = tuple(name for name in trained if any(_is_part(name, part) for part in head))
    below = changed_body(adapted.model, plain)
    return InitialWeights(trained | below, own, label_names, is_merged=False)


def changed_body(model: nn.Module, plain: nn.Module) -> dict[str, Tensor]:
    """Weights below an adaptation that differ from the base, by their names in `model`.

    There are none, unless the trial started from weights of another that were merged.
    """
    before = plain.state_dict()
    frozen = {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if not parameter.requires_grad and plain_name(name) in before
    }
    return {
        name: tensor
        for name, tensor in frozen.items()
        if not torch.equal(tensor.cpu(), before[plain_name(name)].cpu())
    }


def plain_name(name: str) -> str:
    """A weight's name in the plain model, without what peft wraps around it."""
    for prefix in ("base_model.model.", "base_model."):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return name.replace(_SAVED, "")


def _trained(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that train, under their names in the adapted model."""
    return {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def _is_part(name: str, part: str) -> bool:
    """Whether an adapted model's parameter is the plain model's `part`."""
    return plain_name(name) == part

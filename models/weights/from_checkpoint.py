"""Initial weights from the checkpoint of a trial.

The newest checkpoint holds the last epoch or, after the end of a training, the picked epoch.
Whether a transfer is allowed is decided elsewhere: `overlap.py` compares the data, the caller
compares model and base.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.adaptation.adapted_model import plain_name
from models.hyperparameters.hyperparameter import Value
from models.networks.cnn import CNN
from models.weights.head_rows import head_tensors
from models.weights.initial import InitialWeights

# The input's normalisation belongs to the data, not to the learned weights.
_OF_THE_DATA = ("mean", "std")


def trained_cnn(
    state: Mapping[str, Any],
    configuration: Mapping[str, Value],
    shape: tuple[int, int, int],
    labels: int,
) -> CNN:
    """Return the network of a checkpoint of `models.training.cnn.CNNTraining`, in eval mode.

    Args:
        state: the checkpoint's state.
        configuration: its hyperparameters.
        shape: (channels, height, width) of its images.
        labels: number of classes.

    Raises:
        RuntimeError: the state belongs to another configuration.
    """
    model = CNN(configuration, shape, labels)
    model.load_state_dict(state["model"])
    return model.eval()


def from_cnn(model: CNN, label_names: tuple[str, ...]) -> InitialWeights:
    """Return initial weights from a trained network, without the input's normalisation."""
    tensors = {
        name: tensor for name, tensor in model.state_dict().items() if name not in _OF_THE_DATA
    }
    return InitialWeights(tensors, head_tensors(model, len(label_names)), label_names)


def from_adapted(adapted: Any, plain: nn.Module, label_names: tuple[str, ...]) -> InitialWeights:
    """Return initial weights from a fine-tuned transformer.

    Args:
        adapted: the `Adapted` model with its trained state loaded.
        plain: the unchanged base with any head; only weights that differ from it are extracted.
        label_names: labels of the head's rows; empty for a language model.
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
    # Names are those in the adapted model, to which the weights are applied.
    trained = {
        name: parameter.detach()
        for name, parameter in adapted.model.named_parameters()
        if parameter.requires_grad
    }
    own = tuple(name for name in trained if plain_name(name) in head)
    below = changed_body(adapted.model, plain)
    return InitialWeights(trained | below, own, label_names, is_merged=False)


def changed_body(model: nn.Module, plain: nn.Module) -> dict[str, Tensor]:
    """Return weights below an adaptation that differ from the base, by their names in `model`.

    There are none unless the trial started from merged weights of another one.
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

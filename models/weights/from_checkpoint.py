"""Initial weights from the checkpoint of a trial.

The newest checkpoint holds the last epoch or, after the end of a training, the picked epoch.
Whether a transfer is allowed is decided elsewhere: `overlap.py` compares the data, the caller
compares model and base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from models.adaptation.adapted_model import Adapted
from models.hyperparameters.hyperparameter import Value
from models.networks.builder import Builder, NetworkData, build
from models.weights.head_rows import head_tensors
from models.weights.initial import InitialWeights


def trained_network(
    weights: Mapping[str, Tensor],
    builder: Builder,
    configuration: Mapping[str, Value],
    data: NetworkData,
) -> nn.Module:
    """Return a trained network in eval mode.

    Args:
        weights: its state in a checkpoint.
        builder: builds the network.
        configuration: its hyperparameters.
        data: what the builder was given.

    Raises:
        RuntimeError: the weights belong to another configuration, or the builder has changed.
    """
    model = build(builder, configuration, data, seed=0)
    model.load_state_dict(weights)
    return model.eval()


def from_network(
    model: nn.Module, builder: Builder, configuration: Mapping[str, Value], data: NetworkData
) -> InitialWeights:
    """Return initial weights from a trained network, without what belongs to its data.

    Nothing is known of a user's network, so its builder is asked: a tensor that has one row more
    for one more class has a row for each class; a tensor that differs for pixels with another mean
    and spread holds the normalisation, which the target has of its own. What depends on the number
    of classes in any other way is not transferred.
    """
    one_more = replace(data, classes=data.classes + 1, label_names=(*data.label_names, ""))
    shifted = replace(data, mean=data.mean + 0.5, std=data.std * 2)
    plain, wider, moved = (
        build(builder, configuration, each, seed=0).state_dict()
        for each in (data, one_more, shifted)
    )
    tensors, head = {}, []
    for name, tensor in model.state_dict().items():
        shape = tuple(wider[name].shape) if name in wider else None
        has_rows = tensor.ndim > 0 and shape == (len(tensor) + 1, *tensor.shape[1:])
        if (shape == tuple(tensor.shape) or has_rows) and torch.equal(plain[name], moved[name]):
            tensors[name] = tensor
            head += [name] if has_rows else []
    return InitialWeights(tensors, tuple(head), data.label_names)


def from_adapted(
    adapted: Adapted, plain: nn.Module, label_names: tuple[str, ...]
) -> InitialWeights:
    """Return initial weights from a fine-tuned transformer.

    Args:
        adapted: the model with its trained state loaded.
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
    own = tuple(name for name in trained if adapted.plain_name(name) in head)
    below = changed_body(adapted, plain)
    return InitialWeights(trained | below, own, label_names, is_merged=False)


def changed_body(adapted: Adapted, plain: nn.Module) -> dict[str, Tensor]:
    """Return weights below an adaptation that differ from the base, by names in the adapted model.

    There are none unless the trial started from merged weights of another one.
    """
    before = plain.state_dict()
    frozen = {
        name: (parameter.detach(), before.get(adapted.plain_name(name)))
        for name, parameter in adapted.model.named_parameters()
        if not parameter.requires_grad
    }
    return {
        name: tensor
        for name, (tensor, known) in frozen.items()
        if known is not None and not torch.equal(tensor.cpu(), known.cpu())
    }

"""Full fine-tuning: every weight trains, optionally at lower rates in lower layers.

Howard & Ruder 2018 (Universal Language Model Fine-tuning for Text Classification, section 3.2)
train lower layers at lower rates; Sun et al. 2019 (How to Fine-Tune BERT for Text Classification?,
section 5.3.3) find 0.95 a layer best for BERT. Embeddings may be frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from models.adaptation.adapted_model import Adapted
from models.hyperparameters.hyperparameter import Value
from models.networks.transformer import head_modules


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train all weights, at rates scaled by decay ** (layers below the top).

    The head, the top layer and weights between them have scale 1, embeddings the lowest. Frozen
    embeddings also freeze weights tied to them: a decoder's output layer.

    Raises:
        ValueError: the model shares its weights with the base.
    """
    depths = _depths(model)
    frozen = bool(configuration["full.freeze_embeddings"])
    lowest = max(depths.values())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            raise ValueError(f"{name} is shared with the base; fix: make the model with "
                             "own_copy=True for full fine-tuning")  # fmt: skip
        if frozen and depths[name] == lowest:
            parameter.requires_grad_(False)
    decay = float(configuration["full.layer_decay"])
    scales = {name: decay**depth for name, depth in depths.items()}
    return Adapted("full", model, merge=lambda plain: plain, scales=scales)


def _depths(model: Any) -> dict[str, int]:
    """Return how many layers each weight is below the top layer; embeddings are the lowest."""
    layers, count = _layers(model)
    head = tuple(f"{name}." for name in head_modules(model))
    depths: dict[str, int] = {}
    has_begun = False
    for name, _ in model.named_parameters():
        if name.startswith(layers):
            has_begun = True
            depths[name] = count - 1 - int(name[len(layers) :].split(".", 1)[0])
        elif name.startswith(head) or (has_begun and "embeddings" not in name):
            depths[name] = 0
        else:
            depths[name] = count
    return depths


def _layers(model: Any) -> tuple[str, int]:
    """Return the prefix of the names of the layers' weights, and the number of layers."""
    lists = [
        (name, part) for name, part in model.named_modules() if isinstance(part, nn.ModuleList)
    ]
    # NOTE: The first of the longest; lists within a layer are not longer.
    name, layers = max(lists, key=lambda entry: len(entry[1]))
    return f"{name}.", len(layers)

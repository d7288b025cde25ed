"""Bottleneck adapters: small networks after the two sub-layers of every layer.

Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP, section 2.1 and figure 2: after
the projection of the attention and after the feed-forward network, before the residual connection;
the norms of the layers and the head are trained too. Implemented here because peft has none; it
differs from the paper in the non-linearity, GELU, and in starting exactly at the identity (the
projection up is zero).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from models.adaptation.adapted_model import Adapted
from models.hyperparameters.hyperparameter import Value
from models.networks.architectures import ARCHITECTURES, layer_pattern, module_pattern
from models.networks.transformer import head_modules


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))), the identity at first; (..., features) to the same shape."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(features, width)
        self.up = nn.Linear(width, features)
        # The paper's spread (section 3.6, below 1e-2); with both zero there would be no gradient.
        nn.init.normal_(self.down.weight, std=1e-2)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features plus the output of the bottleneck."""
        changed: Tensor = features + self.up(functional.gelu(self.down(features)))
        return changed


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train bottlenecks, norms of the layers, and the head."""
    model_type = str(model.config.model_type)
    parts = ARCHITECTURES[model_type]
    width = int(configuration["adapters.width"])
    pattern = module_pattern(model_type, (parts.attention_output, parts.feed_forward_output))
    heads = tuple(f"{name}." for name in head_modules(model))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(heads))
    for name, module in list(model.named_modules()):
        if re.fullmatch(pattern, name):
            features = model.config.hidden_size
            module.add_module("adapter", Bottleneck(features, width).to(module.weight.device))
            module.register_forward_hook(_pass_through)
        elif re.fullmatch(layer_pattern(model_type), name) and type(module).__name__.endswith(
            "Norm"
        ):
            _own(module)
    return Adapted("adapters", model)


def _pass_through(module: Any, inputs: Any, output: Tensor) -> Tensor:
    # A function of the module it is attached to, so that a copied model uses its own adapter.
    adapted: Tensor = module.adapter(output)
    return adapted


def _own(norm: nn.Module) -> None:
    """Replace a norm's weights, shared with the base, by trainable copies."""
    for name, weight in list(norm.named_parameters(recurse=False)):
        setattr(norm, name, nn.Parameter(weight.detach().clone()))

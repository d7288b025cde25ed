"""A transformer's logits with a perturbation added to its token embeddings.

A hook on the embedding table adds it, so positions, token types and virtual tokens of an adaptation
are unchanged, and the code is the same for every architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def perturbed(
    model: nn.Module, inputs: Mapping[str, Tensor], *, exactly: bool = False
) -> Callable[[Tensor | None], Tensor]:
    """Return a function from a perturbation (batch, tokens, width), or None, to logits.

    Args:
        model: takes `inputs` by keyword and returns logits, or an object with `.logits`.
        inputs: a batch without its labels.
        exactly: compute in float32 on a GPU too, as in evaluation; training uses bfloat16 there.
    """
    device = inputs["input_ids"].device.type
    is_reduced = device == "cuda" and not exactly

    def forward(delta: Tensor | None) -> Tensor:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=is_reduced):
            if delta is None:
                return logits_of(model, inputs)
            handle = token_embedding(model).register_forward_hook(
                lambda _, __, output: output + delta
            )
            try:
                return logits_of(model, inputs)
            finally:
                handle.remove()

    return forward


def zero_perturbation(model: nn.Module, mask: Tensor) -> Tensor:
    """Return zeros of the embeddings' shape (batch, tokens, width) for a mask (batch, tokens)."""
    return torch.zeros((*mask.shape, token_embedding(model).weight.shape[1]), device=mask.device)


def logits_of(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the logits of a model of transformers, or of a user's own network."""
    output: Any = model(**inputs)
    logits: Tensor = output if isinstance(output, Tensor) else output.logits
    return logits


def token_embedding(model: nn.Module) -> nn.Embedding:
    """Return the layer that turns a model's token ids into embeddings."""
    # A user's own network has the pretrained model somewhere within it.
    part: Any = next(each for each in model.modules() if hasattr(each, "get_input_embeddings"))
    table: nn.Embedding = part.get_input_embeddings()
    return table

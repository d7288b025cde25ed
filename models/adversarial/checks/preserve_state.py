"""A context that leaves a model unchanged: mode, buffers, gradients, random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def preserve_state(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode, and restore its state afterwards, also after an error.

    It restores the mode of every module, the buffers (their values and the tensors themselves), the
    `grad` and `requires_grad` of each parameter, and torch's global random state, which a noisy
    model draws from. It cannot restore plain attributes.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    parameters = [
        (parameter, parameter.grad, parameter.requires_grad) for parameter in model.parameters()
    ]
    tensors = [*model.parameters(), *model.buffers()]
    devices = sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices=devices):
            model.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for module, name, buffer, values in buffers:
                buffer.copy_(values)
                setattr(module, name, buffer)
        for parameter, gradient, requires in parameters:
            parameter.grad = gradient
            parameter.requires_grad_(requires)

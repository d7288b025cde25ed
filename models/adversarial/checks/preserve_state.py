"""A model that is looked at and left as it was: mode, buffers, gradients, random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def preserve_state(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards everything as before, also after an error.

    Restored are every module's own mode, the buffers (their values and which tensors they are),
    each parameter's `grad` and `requires_grad`, and torch's global random state, which a noisy
    model draws from. What a model keeps in plain attributes is beyond reach.
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

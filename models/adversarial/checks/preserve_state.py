"""Contexts that put a model in eval mode: one restores its modes, one all of its state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode, and restore the mode of every module, also after an error.

    Modules are restored one by one: some may be in eval mode in a model that trains.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        model.train(modes[0][1])  # a network's own `train` may do more than switch flags
        for module, training in modes:
            module.training = training


@contextmanager
def preserve_state(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode, and restore its state afterwards, also after an error.

    It restores what `eval_mode` does, the buffers (their values and the tensors themselves), the
    `grad` and `requires_grad` of each parameter, and torch's global random state, which a noisy
    model draws from. It cannot restore plain attributes.
    """
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
        with torch.random.fork_rng(devices=devices), eval_mode(model):
            yield
    finally:
        with torch.no_grad():
            for module, name, buffer, values in buffers:
                buffer.copy_(values)
                setattr(module, name, buffer)
        for parameter, gradient, requires in parameters:
            parameter.grad = gradient
            parameter.requires_grad_(requires)

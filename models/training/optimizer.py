"""The optimizer of a configuration, and its learning rate as a function of progress.

The rate depends on the step alone and has no state, so a resumed training continues exactly like an
uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from models.hyperparameters.hyperparameter import Value

# Smith & Topin 2018 in the form of PyTorch's OneCycleLR: rise over the first 30 %, from 1/25 of
# the peak, end far below the start. The momentum is not cycled.
_RISE = 0.3
_FIRST = 1 / 25
_LAST = 1e-5
# Rice et al. 2020 and Pang et al. 2021, both codes' "piecewise".
_FALL = 0.1
# A share such as 105 / 110 and half of 1 + 100 / 110 may differ in the last bit; a step is never
# less than this share of a training.
_SAME = 1e-9


def build_optimizer(model: nn.Module, configuration: Mapping[str, Value]) -> torch.optim.Optimizer:
    """Build SGD with Nesterov momentum or AdamW; biases and normalisation are not decayed.

    Decaying those shifts the function without making it simpler, so only parameters with two axes
    or more are decayed.
    """
    parameters = list(model.parameters())
    decay = weight_decay(configuration)
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if configuration["optimizer"] == "sgd":
        momentum = float(configuration["sgd.momentum"])
        # PyTorch refuses Nesterov without momentum.
        return torch.optim.SGD(groups, lr=0.0, momentum=momentum, nesterov=momentum > 0)
    return torch.optim.AdamW(groups, lr=0.0)


def weight_decay(configuration: Mapping[str, Value]) -> float:
    """Return the weight decay: that of adversarial training where a training on images has it."""
    return float(configuration.get("adversarial_weight_decay", configuration["weight_decay"]))


def learning_rate(configuration: Mapping[str, Value], progress: float) -> float:
    """Return the learning rate of a step; the hyperparameter is its peak.

    Args:
        configuration: holds the optimizer's hyperparameters.
        progress: share of all steps that were made before it, in [0, 1).
    """
    peak = float(configuration[f"{configuration['optimizer']}.learning_rate"])
    schedule = configuration["schedule"]
    if schedule == "constant":
        return peak
    if schedule == "step":
        first = float(configuration["step.start"])
        falls = (first, (1 + first) / 2)
        return peak * _FALL ** sum(progress >= at - _SAME for at in falls)
    if schedule == "cosine":  # Loshchilov & Hutter 2017, without restarts
        return peak * _cosine(1.0, 0.0, progress)
    if progress < _RISE:
        return peak * _cosine(_FIRST, 1.0, progress / _RISE)
    return peak * _cosine(1.0, _LAST, (progress - _RISE) / (1 - _RISE))


def _cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def warmed_up(configuration: Mapping[str, Value], step: int, steps: int) -> float:
    """Return the learning rate at `step` (from 0) of `steps`; the adaptation's rate is its peak.

    A user's own network has no adaptation and a single rate.

    It rises linearly over the first `warmup_share` of the steps, so that Adam's second moments
    settle before large steps are taken (Devlin et al. 2019, A.3), then falls to 0 linearly or on
    half a cosine, or stays constant.
    """
    adaptation = configuration.get("adaptation")
    peak = float(configuration[f"{adaptation}.learning_rate" if adaptation else "learning_rate"])
    rise = round(float(configuration["warmup_share"]) * steps)
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    if configuration["schedule"] == "constant":
        return peak
    progress = (step - rise) / max(1, steps - rise)  # in [0, 1)
    if configuration["schedule"] == "cosine":
        return peak * (1 + math.cos(math.pi * progress)) / 2
    return peak * (1 - progress)

"""The learning rate of fine-tuning as a function of the step alone: warm-up, then decay.

A rate that depends on nothing but the step needs no state, so a resumed training goes on exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.hyperparameter import Value


def warmed_up(configuration: Mapping[str, Value], step: int, steps: int) -> float:
    """The learning rate at `step` (from 0) of `steps`; the adaptation's own rate is its peak.

    It rises linearly over the first `warmup_share` of the steps, so that Adam's second moments
    settle before large steps are taken (Devlin et al. 2019, A.3), then falls to 0 on a line or
    half a cosine, or stays.
    """
    peak = float(configuration[f"{configuration['adaptation']}.learning_rate"])
    rise = round(float(configuration["warmup_share"]) * steps)
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    if configuration["schedule"] == "constant":
        return peak
    progress = (step - rise) / max(1, steps - rise)  # in [0, 1)
    if configuration["schedule"] == "cosine":
        return peak * (1 + math.cos(math.pi * progress)) / 2
    return peak * (1 - progress)

"""LoRA: a low-rank update of frozen weights.

Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models: W + (alpha / r) B A, with B
zero at first (section 4.1). Our `scaling` is alpha / r.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peft import LoraConfig

from models.adaptation.adapted_model import Adapted
from models.adaptation.peft_modules import shared_settings, unload, wrap, wrapped_modules
from models.hyperparameters.hyperparameter import Value


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train A and B of the chosen modules, and the head."""
    return low_rank("lora", model, configuration)


def low_rank(
    method: str, model: Any, configuration: Mapping[str, Value], *, use_dora: bool = False
) -> Adapted:
    """Apply LoRA with the hyperparameters of `method`; DoRA also decomposes the weights."""
    rank = int(configuration[f"{method}.rank"])
    settings = LoraConfig(
        r=rank,
        lora_alpha=float(configuration[f"{method}.scaling"]) * rank,
        lora_dropout=float(configuration[f"{method}.dropout"]),
        target_modules=wrapped_modules(model, str(configuration[f"{method}.modules"])),
        use_dora=use_dora,
        **shared_settings(model),
    )
    return Adapted(method, wrap(model, settings), merge=unload)

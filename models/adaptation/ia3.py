"""IA3: vectors that scale keys, values and the inner feed-forward activations.

Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
Learning, section 3.3: all ones at first. The feed-forward vector scales the input of the
projection down, keys and values are scaled after their projections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peft import IA3Config

from models.adaptation.adapted_model import Adapted
from models.adaptation.peft_modules import shared_settings, unload, wrap
from models.hyperparameters.hyperparameter import Value
from models.networks.architectures import ARCHITECTURES, module_pattern


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train three vectors per layer, and the head."""
    model_type = str(model.config.model_type)
    parts = ARCHITECTURES[model_type]
    down = (parts.feed_forward_output,)
    settings = IA3Config(
        target_modules=module_pattern(model_type, (*parts.keys_values, *down)),
        feedforward_modules=module_pattern(model_type, down),
        **shared_settings(model),
    )
    return Adapted("ia3", wrap(model, settings), merge=unload)

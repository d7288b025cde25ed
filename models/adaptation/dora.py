"""DoRA: LoRA on the direction of a weight, with its magnitude trained separately.

Liu et al. 2024, DoRA: Weight-Decomposed Low-Rank Adaptation, equation 5: m (W + B A) / ||W + B A||,
norms column by column, m starting at ||W||.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.adaptation.adapted_model import Adapted
from models.adaptation.lora import low_rank
from models.hyperparameters.hyperparameter import Value


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train A, B and magnitudes of the chosen modules, and the head."""
    return low_rank("dora", model, configuration, use_dora=True)

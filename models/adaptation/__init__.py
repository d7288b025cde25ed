"""Adaptation methods, which fit a pretrained model to a task; one small file for each method.

Only `adapt` imports torch and peft, for the method that is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.hyperparameters.hyperparameter import Value
from models.networks.architectures import supported

if TYPE_CHECKING:
    from models.adaptation.adapted_model import Adapted


def adapt(model: Any, configuration: Mapping[str, Value], *, steps: int, seed: int) -> Adapted:
    """Prepare `model` for training by configuration["adaptation"].

    Args:
        model: from `models.networks.transformer.LoadedBase.fresh`; changed, so make one for each
            trial. For full fine-tuning it must own its weights; the other methods leave those
            frozen except for the head, which every method trains.
        configuration: complete hyperparameters.
        steps: optimizer steps of the whole training; AdaLoRA plans its ranks over them.
        seed: seed of the weights that a method adds, drawn on the CPU from this alone.

    Raises:
        ValueError: the method cannot adapt this model or kind (see `supported`), or a
            hyperparameter does not fit the model.
    """
    # Imported here: torch and peft take seconds, and checking a specification needs neither.
    import torch

    from models.networks.transformer import kind_of

    method = str(configuration["adaptation"])
    reason = supported(method, model.config.model_type, kind_of(model))
    if reason is not None:
        raise ValueError(reason)
    if configuration["gradient_checkpointing"] and method == "prefix":
        raise ValueError(
            "prefix tuning passes keys and values in a cache, which gradient checkpointing cannot "
            "recompute; fix: set gradient_checkpointing: false"
        )
    module = importlib.import_module(f"models.adaptation.{method}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        adapted: Adapted = module.adapt(model, configuration, steps)
    if configuration["gradient_checkpointing"]:
        # For models of text this also makes the embeddings' output require gradients, without which
        # layers above frozen embeddings would not be recomputed.
        model.activation_checkpointing_enable({"use_reentrant": False})
    return adapted

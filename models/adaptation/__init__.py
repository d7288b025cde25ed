"""Adaptation methods: how a pretrained model is fitted to a task, one small file a method.

Imports no torch and no peft by itself; `adapt` does, for the method asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.hyperparameters.hyperparameter import Value
from models.hyperparameters.transformer import METHODS
from models.networks.architectures import merges, supported

if TYPE_CHECKING:
    from models.adaptation.adapted import Adapted

__all__ = ["METHODS", "adapt", "learning_rate_name", "merges", "supported"]


def adapt(model: Any, configuration: Mapping[str, Value], *, steps: int, seed: int) -> Adapted:
    """`model` made ready for training by configuration["adaptation"].

    Args:
        model: from `models.networks.transformer.LoadedBase.fresh`; changed, so make one for each
        trial. For
            full fine-tuning it must own its weights; the other methods leave those frozen, but
            for the head, which every method trains.
        configuration: hyperparameters, complete.
        steps: optimizer steps of the whole training; AdaLoRA plans its ranks over them.
        seed: of the weights that a method adds, drawn on the CPU from this alone.

    Raises:
        ValueError: the method cannot adapt this model or kind (see `supported`), or a
            hyperparameter does not fit the model.
    """
    # Imported here: torch and peft cost seconds, and checking a specification needs neither.
    import torch

    from models.networks.transformer import kind_of

    method = str(configuration["adaptation"])
    reason = supported(method, model.config.model_type, kind_of(model))
    if reason is not None:
        raise ValueError(reason)
    if configuration["gradient_checkpointing"] and method == "prefix":
        raise ValueError(
            "prefix tuning passes keys and values in a cache, which gradient checkpointing cannot "
            "recompute; set gradient_checkpointing: false"
        )
    module = importlib.import_module(f"models.adaptation.{method}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        adapted: Adapted = module.adapt(model, configuration, steps)
    if configuration["gradient_checkpointing"]:
        # For models of text this has the embeddings' output require gradients too, without which
        # layers above frozen embeddings would have nothing to recompute for.
        model.activation_checkpointing_enable({"use_reentrant": False})
    return adapted


def learning_rate_name(configuration: Mapping[str, Value]) -> str:
    """The hyperparameter that is the learning rate of the chosen method."""
    return f"{configuration['adaptation']}.learning_rate"

"""What the methods of peft share: wrapped modules, common settings, wrapping and merging."""

from __future__ import annotations

import warnings
from typing import Any

from peft import get_peft_model
from peft.utils import ModulesToSaveWrapper

from models.networks.architectures import ARCHITECTURES, module_pattern
from models.networks.transformer import head_modules


def wrapped_modules(model: Any, modules: str) -> str:
    """Return a pattern for the modules that low-rank methods adapt.

    `modules` is "attention" (the projections to queries, keys and values, and the output), or
    "attention_and_mlp" (the feed-forward projections as well).
    """
    model_type = str(model.config.model_type)
    parts = ARCHITECTURES[model_type]
    names = (*parts.attention, parts.attention_output)
    if modules == "attention_and_mlp":
        names += (*parts.feed_forward, parts.feed_forward_output)
    return module_pattern(model_type, names)


def shared_settings(model: Any) -> dict[str, Any]:
    """Return the settings that train the whole head and give the layout of the weights."""
    conv1d = ARCHITECTURES[str(model.config.model_type)].conv1d
    return {"modules_to_save": head_modules(model) or None, "fan_in_fan_out": conv1d}


def wrap(model: Any, settings: Any) -> Any:
    """Wrap `model` in the method that `settings` configure."""
    with warnings.catch_warnings():
        # peft 0.21 uses a name that transformers 5.23 deprecates.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, settings)


def unload(model: Any) -> Any:
    """Merge the trained weights into the layers and unwrap; writes into `model`."""
    plain = model.get_base_model()
    # NOTE: peft 0.21 cannot unwrap a head of several layers after IA3.
    for name, module in list(plain.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            parent, _, child = name.rpartition(".")
            trained = module.modules_to_save[module.active_adapters[0]]
            setattr(plain.get_submodule(parent), child, trained)
    return model.merge_and_unload()

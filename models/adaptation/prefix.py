"""Prefix tuning: trained keys and values before those of the text, in every layer.

Li & Liang 2021, Prefix-Tuning: Optimizing Continuous Prompts for Generation, section 4, without
the reparametrisation of section 4.3 (Liu et al. 2022, P-Tuning v2, section 3.2, find that it helps
some tasks and hurts others).

NOTE: The prefix uses positions: with 20 tokens a text begins at position 20, so `max_length` and
prefix together must fit the model's learned positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peft import PrefixTuningConfig, TaskType

from models.adaptation.adapted_model import Adapted
from models.adaptation.peft_modules import wrap
from models.hyperparameters.hyperparameter import Value
from models.kinds import KINDS
from models.networks.transformer import head_modules, kind_of

# RoBERTa's table of positions begins with two unused rows. Rotary positions have no table and no
# limit.
_UNUSED_POSITIONS = {
    "bert": 0,
    "electra": 0,
    "gpt2": 0,
    "roberta": 2,
    "xlm-roberta": 2,
    "camembert": 2,
}


def adapt(model: Any, configuration: Mapping[str, Value], steps: int) -> Adapted:
    """Train keys and values of the prefix, and the head.

    Raises:
        ValueError: prefix and text together are longer than the model's positions.
    """
    tokens = int(configuration["prefix.tokens"])
    length = int(configuration["max_length"])
    positions = _positions(model.config)
    if positions is not None and tokens + length > positions:
        raise ValueError(f"prefix.tokens ({tokens}) and max_length ({length}) exceed the "
                         f"{positions} positions of the model; fix: lower one of them")  # fmt: skip
    settings = PrefixTuningConfig(
        task_type=TaskType(KINDS[kind_of(model)].peft_task),
        num_virtual_tokens=tokens,
        modules_to_save=head_modules(model) or None,
    )
    return Adapted("prefix", wrap(model, settings))


def _positions(config: Any) -> int | None:
    """Return the number of positions that the model has learned; None: any."""
    if config.model_type not in _UNUSED_POSITIONS:
        return None
    return int(config.max_position_embeddings) - _UNUSED_POSITIONS[config.model_type]

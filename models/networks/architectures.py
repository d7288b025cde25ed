"""Which adaptation works on which architecture and kind of task, and on which modules.

Imports no torch, so that a specification is checked before training. Modules are named per
architecture, never found by type: `all-linear` would wrap the head of a token classifier too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from models.hyperparameters.transformer import METHODS
from models.kinds import TEXT_KINDS

_ENCODER_KINDS = tuple(kind for kind in TEXT_KINDS if kind != "dialogue")


@dataclass(frozen=True)
class Architecture:
    """Names of the modules of one layer, relative to it, and of the list of layers in the body.

    `attention` projects to queries, keys and values; `keys_values` are the modules that IA3 scales;
    `feed_forward` are the projections up, `feed_forward_output` is the one down. `conv1d` says that
    weights are stored as (in, out), as in GPT-2.
    """

    kinds: tuple[str, ...]
    layers: str
    attention: tuple[str, ...]
    attention_output: str
    feed_forward: tuple[str, ...]
    feed_forward_output: str
    keys_values: tuple[str, ...]
    prefix: bool = True
    conv1d: bool = False


_BERT = Architecture(
    _ENCODER_KINDS,
    "encoder.layer",
    ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.output.dense",
    ("intermediate.dense",),
    "output.dense",
    ("attention.self.key", "attention.self.value"),
)
_DISTILBERT = Architecture(
    _ENCODER_KINDS,
    "transformer.layer",
    ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "attention.out_lin",
    ("ffn.lin1",),
    "ffn.lin2",
    ("attention.k_lin", "attention.v_lin"),
    prefix=False,  # its attention takes no cached keys and values
)
_DEBERTA = Architecture(
    _ENCODER_KINDS,
    "encoder.layer",
    ("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"),
    "attention.output.dense",
    ("intermediate.dense",),
    "output.dense",
    ("attention.self.key_proj", "attention.self.value_proj"),
    prefix=False,  # likewise
)
# NOTE: GPT-2 projects queries, keys and values by one matrix, so IA3 scales the queries as well.
_GPT2 = Architecture(
    TEXT_KINDS,
    "h",
    ("attn.c_attn",),
    "attn.c_proj",
    ("mlp.c_fc",),
    "mlp.c_proj",
    ("attn.c_attn",),
    conv1d=True,
)
_LLAMA = Architecture(
    TEXT_KINDS,
    "layers",
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attn.o_proj",
    ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down_proj",
    ("self_attn.k_proj", "self_attn.v_proj"),
)
_VIT = Architecture(
    ("images",),
    "layers",
    ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
    "attention.o_proj",
    ("mlp.fc1",),
    "mlp.fc2",
    ("attention.k_proj", "attention.v_proj"),
    prefix=False,  # likewise
)

ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "electra": _BERT,
    "distilbert": _DISTILBERT,
    "deberta-v2": _DEBERTA,
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "vit": _VIT,
}


def supported(method: str, model_type: str, kind: str) -> str | None:
    """Return why `method` cannot adapt a `model_type` to a `kind` of data; None: it can.

    An architecture that is not listed can be fine-tuned in full if transformers has a head of the
    kind for it, which is known only when the model is loaded.
    """
    if method not in METHODS:
        return f"adaptation {method!r} is unknown; fix: choose one of {', '.join(METHODS)}"
    architecture = ARCHITECTURES.get(model_type)
    if architecture is None:
        if method == "full":
            return None
        known = ", ".join(ARCHITECTURES)
        return (f"{method} needs the module names of a {model_type!r}, which are unknown; fix: use "
                f"full, or a model of type {known}")  # fmt: skip
    if kind not in architecture.kinds:
        able = [name for name, other in ARCHITECTURES.items() if kind in other.kinds]
        return (
            f"a {model_type} cannot be adapted to {kind}, only to {', '.join(architecture.kinds)}; "
            f"fix: for {kind} use {', '.join(able)}"
        )
    if method == "prefix" and not architecture.prefix:
        able = [name for name, other in ARCHITECTURES.items() if other.prefix]
        others = [other for other in METHODS if other != "prefix"]
        return (
            f"prefix tuning needs attention that takes cached keys and values, and {model_type}'s "
            f"does not; fix: use {', '.join(others)}, or a model of type {', '.join(able)}"
        )
    return None


def module_pattern(model_type: str, names: tuple[str, ...]) -> str:
    """Return a regular expression for the full names of the modules `names` in every layer."""
    choices = "|".join(re.escape(name) for name in names)
    return f"{_layer(model_type)}({choices})"


def layer_pattern(model_type: str) -> str:
    """Return a regular expression for the full names of all modules in any layer."""
    return f"{_layer(model_type)}.*"


def _layer(model_type: str) -> str:
    # A model has its body under a name of one part ("bert"), a body alone has none.
    return rf"(\w+\.)?{re.escape(ARCHITECTURES[model_type].layers)}\.\d+\."

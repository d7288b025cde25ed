"""Folders with tiny random models, as the hub would hold them: config, safetensors, tokenizer.

They show the mechanics only: weights are drawn from a seed, wide enough (0.2) that logits of
different inputs differ visibly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
)

# Another spelling of the same sizes in each architecture: 2 layers of width 16, 2 heads.
_SIZES: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
}
_DECODERS = ("gpt2", "llama", "mistral", "qwen2", "qwen3")
_BERT_SPECIAL = {
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_END = "<|endoftext|>"


def tiny_model(folder: Path, model_type: str, *, seed: int = 0, **config: Any) -> Path:
    """Write config.json and model.safetensors of a random `model_type` into `folder`; returns it.

    A decoder comes with its language-modelling head, anything else as the body alone.
    """
    sizes = dict(_SIZES.get(model_type, _SIZES[""]))
    if model_type != "vit":
        sizes["vocab_size"] = 120
    sizes.setdefault("initializer_range", 0.2)
    sizes |= {"num_key_value_heads": 2, "head_dim": 8} if model_type in _DECODERS[1:] else {}
    sizes |= {"bos_token_id": 0, "eos_token_id": 0} if model_type in _DECODERS else {}
    made = AutoConfig.for_model(model_type, **(sizes | config))
    kind = AutoModelForCausalLM if model_type in _DECODERS else AutoModel
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        kind.from_config(made).save_pretrained(folder)
    return folder


def tiny_bert(folder: Path, tokenizer: Tokenizer | None = None, **config: Any) -> Path:
    """A random BERT with 64 positions; with its tokenizer, if one is given."""
    if tokenizer is not None:
        config |= {"vocab_size": tokenizer.get_vocab_size()}
        config |= {"pad_token_id": tokenizer.token_to_id("[PAD]")}
        inputs = ["input_ids", "token_type_ids", "attention_mask"]
        settings = {"model_max_length": 64, "model_input_names": inputs}
        save_tokenizer(folder, tokenizer, **settings, **_BERT_SPECIAL)
    return tiny_model(folder, "bert", **({"max_position_embeddings": 64} | config))


def tiny_gpt2(folder: Path, tokenizer: Tokenizer | None = None, **config: Any) -> Path:
    """A random GPT-2 with 64 positions; its tokenizer, if given, has no padding token."""
    if tokenizer is not None:
        end = tokenizer.token_to_id(_END)
        config |= {"vocab_size": tokenizer.get_vocab_size()}
        config |= {"bos_token_id": end, "eos_token_id": end}
        special = {"bos_token": _END, "eos_token": _END, "unk_token": _END}
        save_tokenizer(folder, tokenizer, model_max_length=64, **special)
    return tiny_model(folder, "gpt2", **config)


def tiny_vit(folder: Path, **config: Any) -> Path:
    """A random ViT for images of 16x16 pixels in one channel, patches of 8x8."""
    sizes = {"image_size": 16, "patch_size": 8, "num_channels": 1}
    return tiny_model(folder, "vit", **(sizes | config))


def save_tokenizer(folder: Path, tokenizer: Tokenizer, **settings: Any) -> Path:
    """Write tokenizer.json and tokenizer_config.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settings).save_pretrained(folder)
    return folder


def wordpiece(texts: Sequence[str], size: int = 120, *, lowercase: bool = True) -> Tokenizer:
    """A WordPiece tokenizer in BERT's manner ([CLS] a [SEP] b [SEP]), trained on `texts`."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = list(_BERT_SPECIAL.values())
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=special)
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer


def byte_pairs(texts: Sequence[str], size: int = 300) -> Tokenizer:
    """A byte-level BPE tokenizer in GPT-2's manner (no special tokens around a text)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer

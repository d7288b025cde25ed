"""Load the tokenizer of a model folder: fast, from local files, without code of the folder."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from tokenizers import normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.networks.base_model import require_tokenizer


def load_tokenizer(folder: str | Path, kind: str = "") -> PreTrainedTokenizerBase:
    """Load the tokenizer in `folder`, ready for batches of `kind` (any, if empty).

    It pads on the right, decoders too. Only generation needs padding on the left, where the next
    token follows the end of every row; here the answers are given and attention is causal, so
    padding on the right does not affect a token, and positions count from the row's start.

    A decoder without a pad token pads with its end-of-text token: the attention mask and the
    labels, not the token's id, mark the padding. For `entities` see `split_word_tokenizer`.

    Raises:
        ValueError: the folder has no tokenizer, or one that is not fast or cannot pad.
    """
    root = Path(folder)
    require_tokenizer(root)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            root, local_files_only=True, use_fast=True, trust_remote_code=False
        )
    # The tokenizers library raises plain exceptions.
    except Exception as error:
        raise ValueError(
            f"{root}: the tokenizer cannot be loaded ({error}); a tokenizer with code of "
            "its own is refused; fix: save it again with save_pretrained"
        ) from error
    if not tokenizer.is_fast:
        raise ValueError(f"{root}: the tokenizer is not a fast one, which is needed to map "
                         "sub-tokens to words; fix: save it with tokenizer.json")  # fmt: skip
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ValueError(f"{root}: the tokenizer has neither pad_token nor eos_token; fix: set "
                             "one in tokenizer_config.json")  # fmt: skip
        tokenizer.pad_token = tokenizer.eos_token
    return split_word_tokenizer(tokenizer) if kind == "entities" else tokenizer


def split_word_tokenizer(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return `tokenizer`, or a copy that treats single words as words within a sentence.

    A byte-level BPE keeps the space before a word in the word's first token, so a sentence given
    as words would otherwise be read as one long word. NOTE: the option `add_prefix_space` of
    transformers 5 does not reach a tokenizer that is built from tokenizer.json alone, hence the
    change in the tokenizer itself.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    cutting = state["pre_tokenizer"] or {}
    steps = cutting.get("pretokenizers", [cutting])
    lacking = [step.get("type") == "ByteLevel" and not step["add_prefix_space"] for step in steps]
    if not any(lacking) or "Prepend" in json.dumps(state["normalizer"]):
        return tokenizer
    changed = copy.deepcopy(tokenizer)
    backend = changed.backend_tokenizer
    if cutting["type"] == "ByteLevel":
        backend.pre_tokenizer.add_prefix_space = True
    else:  # in a sequence ByteLevel would add a space before every piece of a word
        before = [backend.normalizer] if backend.normalizer else []
        backend.normalizer = normalizers.Sequence([normalizers.Prepend(" "), *before])
    # Saved with the tokenizer, for classes that build themselves from their options.
    changed.add_prefix_space = True
    return changed

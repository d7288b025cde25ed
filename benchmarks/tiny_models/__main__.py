"""Writes tiny random models to fine-tune, for machines without a hub: a GPT-2 and a ViT.

They have learned nothing, so what a search finds with them shows the mechanics only. The GPT-2 has
the byte-level BPE tokenizer of the embedded dialogue set; the ViT takes images of 8x8 pixels in one
channel. The weights follow from the seed.

    python -m benchmarks.tiny_models            # into results/tiny/gpt2 and results/tiny/vit
    python -m benchmarks.tiny_models FOLDER --seed 1
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    ViTConfig,
    ViTForImageClassification,
)

from benchmarks.harness.command_line import parser
from models.data.text.dialogue import TOKENIZER

FOLDER = Path("results/tiny")
POSITIONS = 64


def write_gpt2(folder: Path, seed: int = 0) -> Path:
    """Write a GPT-2 of 2 layers, width 64, with its tokenizer; return its folder."""
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER, local_files_only=True)
    tokenizer.model_max_length = POSITIONS
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=POSITIONS, n_embd=64, n_layer=2, n_head=4,
        bos_token_id=end, eos_token_id=end,
    )  # fmt: skip
    torch.manual_seed(seed)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def write_vit(folder: Path, seed: int = 0) -> Path:
    """Write a ViT of 3 layers, width 48, over patches of 2x2 pixels; return its folder."""
    config = ViTConfig(
        image_size=8, patch_size=2, num_channels=1, hidden_size=48, intermediate_size=96,
        num_hidden_layers=3, num_attention_heads=4,
    )  # fmt: skip
    torch.manual_seed(seed)
    ViTForImageClassification(config).save_pretrained(folder)
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both below a folder."""
    options = parser("tiny_models", __doc__)
    options.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args(arguments)
    for name, write in (("gpt2", write_gpt2), ("vit", write_vit)):
        print(write(given.folder / name, given.seed))


if __name__ == "__main__":
    main()

"""Data and a pretrained model that need no download: made up, of the shapes of real ones.

Images have the shapes of CIFAR-10: a smooth pattern a class, with noise, so that a network learns
them in an epoch or two and can be attacked. Texts are sentences of a small vocabulary. The encoder
has the shapes of MiniLM (6 layers of width 384) and random weights: times, memory and precision do
not depend on what the weights are, accuracies say nothing.

Source of the shapes: Wang et al. 2020, "MiniLM: Deep self-attention distillation for task-agnostic
compression of pre-trained transformers", as published with 6 layers, 12 heads, 30,522 tokens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from models.data.loading import ImageSplits
from models.data.text.splits import TextExamples, TextSplits

CLASSES = 10
CIFAR = (3, 32, 32)
WORDS = 2000
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def image_splits(train: int, shape: tuple[int, int, int] = CIFAR) -> ImageSplits:
    """Return `train` images of training, half as many of validation, 600 of test, at most.

    Args:
        train: images of the training split.
        shape: (channels, height, width).
    """
    generator = np.random.default_rng(0)
    channels, height, width = shape
    # Smooth patterns: a convolution finds them, and a small perturbation does not hide them.
    coarse = generator.uniform(60, 195, (CLASSES, channels, 4, 4))
    patterns = np.kron(coarse, np.ones((1, 1, -(-height // 4), -(-width // 4))))
    patterns = patterns[:, :, :height, :width]

    def split(count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        labels = np.arange(count) % CLASSES
        generator.shuffle(labels)
        noise = generator.normal(0, 40, (count, *shape))
        return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels.astype(np.int64)

    names = tuple(f"class {number}" for number in range(CLASSES))
    return ImageSplits(
        *split(train), *split(max(60, train // 2)), *split(min(600, train)), 255.0, names
    )


def image_tensors(
    examples: int, shape: tuple[int, int, int], device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return float32 images (examples, *shape) in [0, 1] and int64 labels, on a device."""
    data = image_splits(examples, shape)
    images = torch.tensor(data.train_images, device=device).to(torch.float32) / data.scale
    return images, torch.tensor(data.train_labels, device=device)


def text_splits(train: int, words: int) -> TextSplits:
    """Return sentences of `words` words, of two classes that differ in which words are frequent."""
    generator = np.random.default_rng(0)

    def split(count: int) -> TextExamples:
        labels = generator.integers(0, 2, count)
        half = generator.integers(0, WORDS // 2, (count, words))
        picked = half * 2 + labels[:, None] * (generator.random((count, words)) < 0.6)
        texts = tuple((" ".join(f"word{each}" for each in row),) for row in picked)
        return TextExamples(texts, tuple(int(label) for label in labels))

    return TextSplits(
        kind="classification", name="made up", train=split(train), validation=split(64),
        test=split(64), label_names=("even", "odd"), licence="CC0", digest="0" * 12,
    )  # fmt: skip


def encoder_folder(folder: Path, *, is_full: bool) -> Path:
    """Write a BERT with random weights and a tokenizer of whole words into `folder`; returns it.

    Args:
        folder: made if it does not exist.
        is_full: whether it has MiniLM's size; else 2 layers of width 32.
    """
    # Imported here: only this needs transformers, which take seconds.
    from transformers import BertConfig, BertModel

    from models.networks.transformer import quietly

    tokens = _save_tokenizer(folder)
    layers, width, size = (6, 384, 30_522) if is_full else (2, 32, tokens)
    configuration = BertConfig(
        vocab_size=size, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=12 if is_full else 2, intermediate_size=4 * width,
        # So wide that activations keep their size, or gradients would vanish.
        initializer_range=width**-0.5,
    )  # fmt: skip
    with quietly(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        BertModel(configuration).save_pretrained(folder)
    return folder


def _save_tokenizer(folder: Path) -> int:
    """Write a tokenizer of whole words into `folder`, and return how many tokens it has."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = [*_SPECIAL, *(f"word{number}" for number in range(WORDS))]
    tokens = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", tokens["[CLS]"]), ("[SEP]", tokens["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    folder.mkdir(parents=True, exist_ok=True)
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), _SPECIAL, strict=True))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{name}_token": token for name, token in names.items()},
    ).save_pretrained(folder)  # fmt: skip
    return len(vocabulary)

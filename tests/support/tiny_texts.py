"""Small text data sets and a loaded tiny model for each kind of task, learnable in seconds."""

import shutil
import string
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

import models.data.text.dialogue
from models.data.text.splits import TextExamples, TextSplits
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from tests.support.tiny_models import tiny_bert, tiny_model

TOKENIZER = Path(models.data.text.dialogue.__file__).parent / "tokenizer"
CITIES = ("Oslo", "Paris", "Rome", "Lima", "Cairo")
FOODS = ("bread", "soup", "rice", "cake", "plums")
VERBS = ("saw", "liked", "wanted", "found")
TAGS = ("O", "B-food", "I-food", "B-place", "I-place")
SIZES = {"train": 32, "validation": 16, "test": 12}


def tiny_texts(kind: str, *, sizes: dict[str, int] = SIZES, seed: int = 0) -> TextSplits:
    """Sentences about cities (class 0, places) and foods (class 1), drawn from a seed.

    A ranking has four sentences a group, two of each class.
    """
    generator = np.random.default_rng(seed)
    splits = {split: _examples(kind, count, generator) for split, count in sizes.items()}
    names = {
        "classification": ("city", "food"),
        "ranking": ("0", "1"),
        "entities": TAGS,
        "dialogue": (),
    }[kind]
    return TextSplits(
        kind=kind, name="tiny", label_names=names, licence="CC0", digest="0" * 12, **splits
    )


def tiny_base(folder: Path, kind: str, label_names: tuple[str, ...]) -> LoadedBase:
    """A random BERT, or GPT-2 for dialogues, with a tokenizer that knows the sentences."""
    if not (folder / "config.json").exists():
        if kind == "dialogue":
            shutil.copytree(TOKENIZER, folder, dirs_exist_ok=True)
            tiny_model(folder, "gpt2", vocab_size=600)
        else:
            tiny_bert(folder, _whole_words())
    return LoadedBase(locate_base(str(folder)), kind, label_names)


def _whole_words() -> Tokenizer:
    """A WordPiece tokenizer with the sentences' words and all letters.

    Not trained: trainers break ties by chance, and a test of learning wants the same tokens.
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = list(string.ascii_lowercase)
    words = [word.lower() for word in ("she", "again", *VERBS, *CITIES, *FOODS)]
    pieces = [*special, *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer


def _examples(kind: str, count: int, generator: np.random.Generator) -> TextExamples:
    texts: list[tuple[str, ...]] = []
    labels: list[object] = []
    for number in range(count):
        noun = str(generator.choice(CITIES if number % 2 == 0 else FOODS))
        words = ("she", str(generator.choice(VERBS)), noun)
        # Lengths differ, so that batches are padded.
        words += ("again",) * int(generator.integers(0, 3))
        if kind == "entities":
            texts.append(words)
            labels.append((0, 0, 3 if number % 2 == 0 else 1, *(0,) * (len(words) - 3)))
        elif kind in ("classification", "ranking"):
            texts.append((" ".join(words),))
            labels.append(number % 2)
        else:
            texts.append((" ".join(words) + "?", "a city" if number % 2 == 0 else "a food"))
            labels.append(None)
    groups = tuple(f"group {number // 4}" for number in range(count)) if kind == "ranking" else None
    return TextExamples(tuple(texts), tuple(labels), groups)

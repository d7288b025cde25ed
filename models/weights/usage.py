"""Python that loads an exported model and predicts with it, for the section "Use" of its card.

It runs as it is in the exported folder, where the base's folder is put in. Inputs are prepared as
in training: the tokenizer lies in the folder, entities are read at first sub-tokens, pixels are
scaled and resized. Not for what loads the model (`export.py`, `load_*.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.catalog import data_kind
from models.networks.base_model import BaseModel
from models.weights.rebuild import RebuiltModel, TrainedTrial


@dataclass(frozen=True)
class Loading:
    """Lines of Python: imports, and those that define `model`."""

    imports: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Usage:
    """Code that predicts, and sentences on what it must keep to; those may be empty."""

    code: str
    notes: str = ""


_FIRST_SUB_TOKEN = (
    "Words are given split, and a word's tag is the one predicted at its first sub-token; what the "
    "model predicts at the others means nothing, because it was not trained there. Tags are IOB2. "
    "A sentence longer than {length} tokens is cut here; in training and evaluation it was read in "
    "overlapping windows, and each word where its context was longest."
)
_RELEVANCE = (
    "What is printed is the relevance, the expected grade: the items of a group are ranked by it, "
    "largest first."
)
_PAIR = "A text and its pair go to the tokenizer together, in the order of training."
_PIXELS = (
    "Pixels are resized, bilinearly with antialiasing, and normalised as preprocessor_config.json "
    "says; grey images get as many equal channels as the model has."
)
_PLAIN_PROMPT = (
    "A prompt ends with a line break, after which the model writes the answer and an end of text."
)
_TURNS = (
    "Turns are written as in training: a line with the role, then lines with the content; the "
    "model continues after `assistant:`."
)
_TEMPLATE = "Turns are written by the tokenizer's chat template, as in training."


def base_lines(base: BaseModel) -> Loading:
    """Return lines that define `base`, the folder of a pretrained model."""
    kind, _, rest = base.name.partition(":")
    if kind == "hub":
        name, _, revision = rest.partition("@")
        given = f'"{name}"' + (f', revision="{revision}"' if revision else "")
        line = f"base = snapshot_download({given})  # digest {base.digest}"
        return Loading(("from huggingface_hub import snapshot_download",), (line,))
    return Loading((), (f'base = "{base.name}"  # the folder of the base, digest {base.digest}',))


def usage(
    trained: TrainedTrial, rebuilt: RebuiltModel, loading: Loading, *, has_template: bool = False
) -> Usage:
    """Return code that predicts with an exported model, for its kind of data.

    Args:
        trained: The trial.
        rebuilt: Its model, with its data.
        loading: Defines `model`.
        has_template: Whether its tokenizer has a chat template.
    """
    kind = data_kind(trained.model)
    if kind == "images":
        return _of_images(rebuilt, loading)
    if kind == "dialogue":
        return _of_dialogue(rebuilt, loading, has_template=has_template)
    length = int(trained.configuration["max_length"])
    if kind == "entities":
        return _of_entities(length, rebuilt, loading)
    is_own = trained.network is not None
    return _of_classes(length, rebuilt, loading, is_own=is_own, is_ranked=kind == "ranking")


def onnx_usage(rebuilt: RebuiltModel) -> str:
    """Return code that predicts with model.onnx of the folder, without torch."""
    channels, height, width = rebuilt.splits.train_images.shape[1:]
    return _joined(
        ("import numpy as np", "import onnxruntime"),
        (
            'session = onnxruntime.InferenceSession("model.onnx")',
            "# Your pixels in [0, 1]: (batch, channels, height, width); any number of images.",
            f'images = np.random.rand(2, {channels}, {height}, {width}).astype("float32")',
            '(logits,) = session.run(None, {"images": images})',
            "print(logits.argmax(1))",
        ),
    )


def _of_classes(
    length: int, rebuilt: RebuiltModel, loading: Loading, *, is_own: bool, is_ranked: bool
) -> Usage:
    is_pair = len(rebuilt.splits.train.texts[0]) == 2
    texts = '["A first text.", "Another."]'
    if is_pair:
        texts += ', ["The first one\'s pair.", "The other\'s."]'
    options = f'truncation=True, max_length={length}, padding=True, return_tensors="pt"'
    lines = (
        f"batch = tokenizer({texts}, {options})",
        "with torch.no_grad():",
        "    output = model(**batch)",
        'logits = getattr(output, "logits", output)' if is_own else "logits = output.logits",
    )
    if is_ranked:
        lines += (
            "grades = torch.tensor([float(name) for name in names])",
            "print((logits.softmax(1) @ grades).tolist())",
        )
    else:
        lines += ("print([names[index] for index in logits.argmax(1).tolist()])",)
    notes = [note for note, holds in ((_PAIR, is_pair), (_RELEVANCE, is_ranked)) if holds]
    return Usage(_of_texts(rebuilt, loading, lines), " ".join(notes))


def _of_entities(length: int, rebuilt: RebuiltModel, loading: Loading) -> Usage:
    options = f'truncation=True, max_length={length}, return_tensors="pt"'
    lines = (
        # Not one of the data set's, which may be private.
        'words = ["Ada", "Lovelace", "lived", "in", "London"]',
        f"batch = tokenizer(words, is_split_into_words=True, {options})",
        "with torch.no_grad():",
        "    tags = model(**batch).logits[0].argmax(-1).tolist()",
        "first = {}  # word -> its first sub-token",
        "for place, word in enumerate(batch.word_ids()):",
        "    if word is not None:",
        "        first.setdefault(word, place)",
        "print([(words[word], names[tags[place]]) for word, place in first.items()])",
    )
    return Usage(_of_texts(rebuilt, loading, lines), _FIRST_SUB_TOKEN.format(length=length))


def _of_dialogue(rebuilt: RebuiltModel, loading: Loading, *, has_template: bool) -> Usage:
    written, note = 'prompt = "Who are you?\\n"', _PLAIN_PROMPT
    asks = "prompt, "
    if rebuilt.splits.train.labels[0] is not None:
        written, note = 'prompt = "user:\\nWho are you?\\nassistant:\\n"', _TURNS
        if has_template:
            turns = '[{"role": "user", "content": "Who are you?"}]'
            options = "tokenize=False, add_generation_prompt=True"
            written = f"prompt = tokenizer.apply_chat_template({turns}, {options})"
            asks, note = "prompt, add_special_tokens=False, ", _TEMPLATE
    lines = (
        written,
        f'batch = tokenizer({asks}return_tensors="pt", return_token_type_ids=False)',
        "with torch.no_grad():",
        "    tokens = model.generate(**batch, max_new_tokens=20, do_sample=False)",
        'print(tokenizer.decode(tokens[0, batch["input_ids"].shape[1] :]))',
    )
    return Usage(_of_texts(rebuilt, loading, lines), note)


def _of_texts(rebuilt: RebuiltModel, loading: Loading, lines: Sequence[str]) -> str:
    names = (f"names = {list(rebuilt.label_names)!r}",) if rebuilt.label_names else ()
    return _joined(
        ("import torch", "from transformers import AutoTokenizer", *loading.imports),
        (
            *names,
            'tokenizer = AutoTokenizer.from_pretrained(".")  # this folder',
            *loading.lines,
            *lines,
        ),
    )


def _of_images(rebuilt: RebuiltModel, loading: Loading) -> Usage:
    channels, height, width = rebuilt.splits.train_images.shape[1:]
    images = (
        "# Your pixels in [0, 1]: (batch, channels, height, width).",
        f"images = torch.rand(2, {channels}, {height}, {width})",
    )
    end = (
        f"names = {list(rebuilt.label_names)!r}",
        "print([names[index] for index in logits.argmax(1).tolist()])",
    )
    if rebuilt.plain is None:
        run = ("with torch.no_grad():", "    logits = model(images)")
        imports = ("import torch", *loading.imports)
        return Usage(_joined(imports, (*loading.lines, *images, *run, *end)))
    config: Any = rebuilt.plain.config
    expand = f"images = images.expand(-1, {config.num_channels}, -1, -1)"
    prepare = (
        'with open("preprocessor_config.json") as file:',
        "    settings = json.load(file)",
        'size = settings["size"]["height"], settings["size"]["width"]',
        'images = functional.interpolate(images, size, mode="bilinear", antialias=True)',
        *((expand,) if int(config.num_channels) != int(channels) else ()),
        'mean = torch.tensor(settings["image_mean"]).view(1, -1, 1, 1)',
        'std = torch.tensor(settings["image_std"]).view(1, -1, 1, 1)',
        "with torch.no_grad():",
        "    logits = model(pixel_values=(images - mean) / std).logits",
    )
    imports = ("import json", "import torch", "from torch.nn import functional", *loading.imports)
    return Usage(_joined(imports, (*loading.lines, *images, *prepare, *end)), _PIXELS)


def _joined(imports: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join((*dict.fromkeys(imports), "", *lines))

"""Rows of small text data sets, and texts that tokenizers are trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

WriteText = Callable[..., Path]

CORPUS = ["The Oslo bakery opens early on Monday", "the shop of Ada in Oslo is open"] * 3

ROWS: dict[str, dict[str, list[Any]]] = {
    "classification": {"text": ["good", "bad", "fine", "poor"], "label": [0, 1, 0, 1]},
    "entities": {
        "tokens": [["Ada", "sings"], ["in", "New", "York"]],
        "tags": [["B-PER", "O"], ["O", "B-LOC", "I-LOC"]],
    },
    "dialogue": {"prompt": ["How are you?", "Who?"], "answer": ["Well.", "Me."]},
}

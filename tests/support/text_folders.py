"""Small text data sets as folders, their rows, and texts that tokenizers are trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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


def write_texts(folder: Path, rows: dict[str, list[Any]], names: tuple[str, ...] = ()) -> Path:
    """A text data set whose splits are marked by one word, so that none repeats another."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, mark in (("train", "day"), ("validation", "noon"), ("test", "dusk")):
        columns = {
            key: [_marked(value, mark, key) for value in values] for key, values in rows.items()
        }
        metadata = {"label_names": json.dumps(names), "licence": "CC0"}
        table = pa.table(columns).replace_schema_metadata(metadata)
        pq.write_table(table, folder / f"{split}.parquet")
    return folder


def _marked(value: Any, mark: str, key: str) -> Any:
    if key == "tokens":
        return [*value, mark]
    if key == "tags":
        return [*value, "O"]
    return f"{value} {mark}" if isinstance(value, str) else value

"""The embedded dialogue set: short questions and answers, written for this project, CC0 1.0.

`generate.py` wrote the texts and the byte-level BPE tokenizer in `tokenizer/`.
"""

from __future__ import annotations

import json
from pathlib import Path

from models.data.sources import SPLITS
from models.data.text.rows import read_exchanges
from models.data.text.splits import TextExamples, TextSource
from models.data.text.table import TextTable

FOLDER = Path(__file__).resolve().parent
TOKENIZER = FOLDER / "tokenizer"
LICENCE = "CC0-1.0"


def read_dialogue() -> TextSource:
    """Return the embedded set."""
    return TextSource("dialogue", {split: _read(split) for split in SPLITS}, (), LICENCE)


def _read(split: str) -> TextExamples:
    path = FOLDER / f"{split}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    columns = {name: [row[name] for row in rows] for name in ("prompt", "answer")}
    texts = read_exchanges(TextTable(str(path), columns))
    return TextExamples(texts, (None,) * len(texts))

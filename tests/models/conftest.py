"""One torch thread, so that parallel tests are fast, and data sets that most of them share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import processors
from transformers import PreTrainedTokenizerBase

from models.data import tables
from models.data.loading import ImageSplits, load_images
from models.networks.tokenizer import load_tokenizer
from tests.support.text_folders import CORPUS, ROWS, WriteText
from tests.support.tiny_models import _BERT_SPECIAL, byte_pairs, save_tokenizer, wordpiece


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test reads is kept in the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="session")
def digits() -> ImageSplits:
    return load_images({"name": "digits"})


@pytest.fixture(scope="session")
def few_digits() -> ImageSplits:
    return load_images({"name": "digits", "train_examples": 60})


@pytest.fixture
def write_split() -> Callable[..., Path]:
    """Writes one parquet split of 4x6 images; keywords replace parts of a correct one."""

    def write(path: Path, rows: int = 12, **changes: Any) -> Path:
        metadata = {
            "shape": "[4, 6]",
            "dtype": "uint8",
            "layout": "HW",
            "label_names": json.dumps(["a", "b", "c"]),
        }
        metadata.update(changes.get("metadata", {}))
        metadata = {key: value for key, value in metadata.items() if value is not None}
        images = np.random.default_rng(rows).integers(0, 256, (rows, 24), dtype=np.uint8)
        columns = {
            "image": pa.array([image.tobytes() for image in images], pa.binary(24)),
            "label": pa.array([i % 3 for i in range(rows)], pa.int64()),
        }
        columns.update(changes.get("columns", {}))
        kept = {name: column for name, column in columns.items() if column is not None}
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(kept).replace_schema_metadata(metadata), path)
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path, write_split: Callable[..., Path]) -> Path:
    """A correct parquet data set: 30 train, 9 validation and 12 test images of 4x6 pixels."""
    for split, rows in (("train", 30), ("validation", 9), ("test", 12)):
        write_split(tmp_path / "shapes" / f"{split}.parquet", rows)
    return tmp_path / "shapes"


@pytest.fixture
def write_text() -> WriteText:
    """Writes a folder of `kind`: three splits whose texts differ; keywords change one split.

    `columns` replaces columns (None removes one), `metadata` the schema's metadata.
    """

    def write(folder: Path, kind: str, split: str = "", **changes: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name in [split] if split else ["train", "validation", "test"]:
            columns = {key: _marked(values, name) for key, values in ROWS[kind].items()}
            columns.update(changes.get("columns", {}))
            metadata = {"label_names": json.dumps(["up", "down"])} if "label" in columns else {}
            metadata.update(changes.get("metadata", {}))
            kept = {key: values for key, values in columns.items() if values is not None}
            stated = {key: value for key, value in metadata.items() if value is not None}
            table = pa.table(kept).replace_schema_metadata(stated)
            pq.write_table(table, folder / f"{name}.parquet")
        return folder

    return write


def _marked(values: Sequence[Any], split: str) -> list[Any]:
    """Texts that name their split, so that none stands in two of them."""
    marked = [f"{value} {split}" if isinstance(value, str) else value for value in values]
    if isinstance(values[0], list) and not str(values[0][0]).startswith(("B-", "O")):
        marked = [[f"{word}-{split}" for word in words] for words in values]
    return marked


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PreTrainedTokenizerBase]:
    """Loaded tokenizers: cased and uncased WordPiece, byte-level as GPT-2's and as RoBERTa's."""
    root = tmp_path_factory.mktemp("tokenizers")
    inputs = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
    for name, lowercase in (("cased", False), ("uncased", True)):
        tokenizer = wordpiece(CORPUS, lowercase=lowercase)
        save_tokenizer(root / name, tokenizer, model_max_length=64, **inputs, **_BERT_SPECIAL)
    end = "<|endoftext|>"
    decoder = {"bos_token": end, "eos_token": end, "unk_token": end}
    save_tokenizer(root / "bytes", byte_pairs(CORPUS), model_max_length=64, **decoder)
    framed = byte_pairs(CORPUS)
    framed.post_processor = processors.TemplateProcessing(
        single=f"{end} $A {end}", pair=f"{end} $A {end} $B {end}", special_tokens=[(end, 0)]
    )
    save_tokenizer(root / "framed", framed, model_max_length=64, pad_token=end, **decoder)
    return {path.name: load_tokenizer(path) for path in root.iterdir()}

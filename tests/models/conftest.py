"""One torch thread, so that tests are fast beside others, and data sets that most of them share."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models.data import ImageSplits, load_images


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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

"""What the schema of a parquet file states besides columns, which `datasets` does not pass on.

The names of the classes are a JSON list under `label_names`, or those of a ClassLabel under
`huggingface`, as `datasets` writes them. The licence is under `licence` or `license`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.data.sources import DataError


def _metadata(file: Path) -> dict[str, bytes]:
    if file.suffix.lower() != ".parquet":
        return {}
    # Imported here: only files of this format need it.
    import pyarrow.parquet as pq

    metadata = pq.read_schema(file).metadata or {}
    return {key.decode(errors="replace"): value for key, value in metadata.items()}


def licence_of(files: Sequence[Path]) -> str:
    """Return the licence that the first of `files` states; "" if it states none."""
    metadata = _metadata(files[0]) if files else {}
    return metadata.get("licence", metadata.get("license", b"")).decode(errors="replace")


def stated_classes(file: Path, column: str) -> tuple[str, ...]:
    """Return the names of the classes that a parquet file states; () if it states none.

    Raises:
        DataError: they are no list of two or more different names.
    """
    metadata = _metadata(file)
    try:
        if "label_names" in metadata:
            names: Any = json.loads(metadata["label_names"])
        else:
            features = json.loads(metadata.get("huggingface", b"{}")).get("info", {})
            names = features.get("features", {}).get(column, {}).get("names")
    except (ValueError, AttributeError) as error:
        raise DataError(
            f"{file}: the metadata have no class names ({error!r}); fix: write a JSON list "
            "under 'label_names', or a ClassLabel with 'datasets'"
        ) from error
    if names is None:
        return ()
    strings = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not strings or len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"{file}: label names are {names!r}; fix: list two or more different names")
    return tuple(names)

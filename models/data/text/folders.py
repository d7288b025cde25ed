"""Texts in a folder of train.parquet, validation.parquet and test.parquet.

Columns: `text` [and `text_pair`] and `label` for classification, `tokens` and `tags` for entities,
`prompt` and `answer` for dialogue. The names of the classes are in the schema's metadata: under
`huggingface`, as the package `datasets` writes them, or as a JSON list under `label_names`. The
licence may be under `licence` or `license`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from models.data.sources import SPLITS, DataError
from models.data.text.rows import COLUMNS, SECOND_TEXT, check_columns, checked_examples
from models.data.text.splits import NOT_STATED, TextExamples, TextSource


class _File(NamedTuple):
    examples: TextExamples
    label_names: tuple[str, ...]
    licence: str


def read_folder(folder: str, kind: str) -> TextSource:
    """Return the data set in `folder`, every row checked.

    Raises:
        DataError: the folder or a split is missing, a file is damaged or has wrong columns, rows
            or label names, or the splits differ in label names.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; fix: give the folder that holds train.parquet")
    files: dict[str, _File] = {}
    for split in SPLITS:
        path = root / f"{split}.parquet"
        if not path.is_file():
            raise DataError(f"{path}: missing; fix: write this split like the other two")
        status = path.stat()
        files[split] = _read_file(path, kind, status.st_size, status.st_mtime_ns)
        names, expected = files[split].label_names, files["train"].label_names
        if names != expected:
            raise DataError(f"{path}: label names {list(names)} are not train.parquet's "
                            f"{list(expected)}; "
                            "fix: write the same in both, in the same order")  # fmt: skip
    widths = {split: len(file.examples.texts[0]) for split, file in files.items()}
    if kind == "classification" and len(set(widths.values())) > 1:
        raise DataError(f"{root}: numbers of texts per example are {widths}; "
                        f"fix: give all splits {SECOND_TEXT!r}, or none")  # fmt: skip
    return TextSource(
        name=root.name,
        splits={split: file.examples for split, file in files.items()},
        label_names=files["train"].label_names,
        licence=files["train"].licence,
    )


def read_targets(folders: Any) -> TextSource:
    """Return pairs for classification: the target first, a text of the target's folder second.

    `folders` maps a target, in words, to a folder of single texts. They are read in the order of
    the targets' names, so that the order in a specification does not matter.

    Raises:
        DataError: as `read_folder`; or a folder has pairs already, or label names differ.
    """
    if not isinstance(folders, Mapping) or not folders:
        raise DataError(f"targets is {folders!r}; fix: give a mapping from targets to folders")
    parts = {str(target): str(folders[target]) for target in sorted(folders, key=str)}
    sources = {target: read_folder(folder, "classification") for target, folder in parts.items()}
    (first, expected), *_ = sources.items()
    for target, source in sources.items():
        if source.label_names != expected.label_names:
            raise DataError(
                f"targets {target!r} ({parts[target]}): label names {list(source.label_names)} "
                f"are not those of {first!r}, {list(expected.label_names)}; "
                "fix: use folders that agree"
            )
        if not target.strip() or len(source.splits["train"].texts[0]) > 1:
            problem = "has pairs already" if target.strip() else "has an empty target"
            raise DataError(
                f"{parts[target]}: {problem}; fix: give single texts and a target in words"
            )
    splits = {split: _joined({t: s.splits[split] for t, s in sources.items()}) for split in SPLITS}
    licences = dict.fromkeys(source.licence for source in sources.values())
    return TextSource("+".join(parts), splits, expected.label_names, "; ".join(licences))


def _joined(parts: Mapping[str, TextExamples]) -> TextExamples:
    return TextExamples(
        tuple((target, *texts) for target, part in parts.items() for texts in part.texts),
        tuple(label for part in parts.values() for label in part.labels),
    )


@functools.lru_cache(maxsize=64)
def _read_file(path: Path, kind: str, size: int, changed: int) -> _File:
    """Read and check a file; `size` and `changed` are part of the cache key."""
    try:
        schema = pq.read_schema(path)
        check_columns(str(path), kind, schema.names)
        wanted = [name for name in (*COLUMNS[kind], SECOND_TEXT) if name in schema.names]
        wanted = wanted if kind == "classification" else list(COLUMNS[kind])
        columns = pq.read_table(path, columns=wanted).to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: not a readable parquet file ({error}); fix: write it again"
        ) from error
    metadata = {key.decode(): value for key, value in (schema.metadata or {}).items()}
    names = _label_names(path, metadata) if kind == "classification" else ()
    licence = metadata.get("licence", metadata.get("license", NOT_STATED.encode())).decode()
    return _File(checked_examples(str(path), kind, columns, names), names, licence)


def _label_names(path: Path, metadata: Mapping[str, bytes]) -> tuple[str, ...]:
    names: Any = None
    try:
        if "label_names" in metadata:
            names = json.loads(metadata["label_names"])
        elif "huggingface" in metadata:
            names = json.loads(metadata["huggingface"])["info"]["features"]["label"]["names"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: the metadata have no class names ({error!r}); fix: write a JSON list "
            "under 'label_names', or a ClassLabel with 'datasets'"
        ) from error
    if names is None:
        raise DataError(f"{path}: metadata lack label names; fix: write a JSON list under "
                        "'label_names', or a ClassLabel with 'datasets'")  # fmt: skip
    strings = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not strings or len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"{path}: label names are {names!r}; fix: list two or more different names")
    return tuple(names)

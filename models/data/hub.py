"""Texts of the Hugging Face hub, by name, in the columns that `models/data/text/rows.py` lists."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from models.data.sources import SPLITS, DataError, stratified
from models.data.text.rows import COLUMNS, SECOND_TEXT, check_columns, checked_examples
from models.data.text.splits import NOT_STATED, TextExamples, TextSource

_FIX = "fix: pip install 'twentieth[hub]', or give a folder by parquet"


def hub_texts(name: str, kind: str, split_seed: int) -> TextSource:
    """Return the texts `name` of the hub, checked; without a validation split, a tenth of train.

    Classes are named by the ClassLabel of `label`; `tags` are strings or a list of ClassLabel.

    Raises:
        DataError: the hub cannot be reached or has no such data set, it lacks a train or test split
            or a column of `kind`, or a row is wrong.
    """
    loaded = _load(name)
    features = loaded["train"].features
    check_columns(f"hub {name!r}, train", kind, list(features))
    label_names = _class_names(features) if kind == "classification" else ()
    if kind == "classification" and len(label_names) < 2:
        raise DataError(f"hub {name!r}: label has no names (ClassLabel) of two or more classes; "
                        "fix: use another, or give a folder by parquet")  # fmt: skip
    splits = {
        split: _texts(f"hub {name!r}, {split}", loaded[split], kind, label_names)
        for split in SPLITS
        if split in loaded
    }
    if "validation" not in splits:
        kept, held_out = _held_out(splits["train"], kind, split_seed)
        splits = {**splits, "train": kept, "validation": held_out}
    licence = getattr(getattr(loaded["train"], "info", None), "license", None) or NOT_STATED
    return TextSource(name, splits, label_names, str(licence))


def _texts(place: str, rows: Any, kind: str, label_names: tuple[str, ...]) -> TextExamples:
    features = rows.features
    check_columns(place, kind, list(features))
    if kind == "classification" and _class_names(features) != label_names:
        raise DataError(f"{place}: label names {list(_class_names(features))} are not those of "
                        f"train, {list(label_names)}; fix: use another data set")  # fmt: skip
    wanted = list(COLUMNS[kind])
    if kind == "classification" and SECOND_TEXT in features:
        wanted.append(SECOND_TEXT)
    columns = {column: list(rows[column]) for column in wanted}
    tag_names = getattr(getattr(features.get("tags"), "feature", None), "names", None)
    if kind == "entities" and tag_names:
        # A number without a name (-1: a hidden tag) stays, so that its row is refused.
        named = dict(enumerate(tag_names))
        columns["tags"] = [[named.get(tag, tag) for tag in tags] for tags in columns["tags"]]
    return checked_examples(place, kind, columns, label_names)


def _class_names(features: Any) -> tuple[str, ...]:
    return tuple(map(str, getattr(features["label"], "names", None) or ()))


def _held_out(train: TextExamples, kind: str, split_seed: int) -> tuple[TextExamples, TextExamples]:
    """Split `train` into nine tenths and a tenth, stratified for classification."""
    labels = train.labels if kind == "classification" else (0,) * len(train)
    chosen = stratified(np.asarray(labels, np.int64), max(1, len(train) // 10), split_seed)
    return train.take(np.setdiff1d(np.arange(len(train)), chosen)), train.take(chosen)


@functools.lru_cache(maxsize=2)
def _load(name: str) -> Any:
    """Load all splits of `name`; train and test exist."""
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"hub {name!r}: the package 'datasets' is missing; {_FIX}") from error
    try:
        loaded = datasets.load_dataset(name)
    # The hub's client raises errors of four packages.
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"hub {name!r}: cannot be loaded ({error}); fix: check the name and the network, or "
            "give a folder by parquet"
        ) from error
    missing = [split for split in ("train", "test") if split not in loaded]
    if missing:
        raise DataError(
            f"hub {name!r}: no split {missing}; it has {sorted(loaded)}; fix: use another"
        )
    return loaded

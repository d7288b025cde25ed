"""The images of a task: their source, splits and classes, checked.

One way for all formats: `image_tables.py` and `npz.py` read a source as it is; here it gets the
splits that it lacks and numbers for its labels, and what is suspicious is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.data.labels import Place, check_classes, number_labels
from models.data.settings import DataSettings
from models.data.sources import (
    SPLITS,
    DataError,
    ImageSource,
    Labels,
    Splits,
    content_digest,
    digits_source,
)
from models.data.splitting import Indices, hold_out, named_splits
from models.data.stored_images import Facts, StoredImages, in_memory


def open_images(settings: DataSettings) -> ImageSource:
    """Open and check the images that `settings` name, before any selection.

    Raises:
        DataError: the source is missing or damaged, or a setting does not fit it.
    """
    if settings.name == "digits":
        return digits_source(settings.split_seed)
    if settings.name is not None:
        raise DataError(f"no embedded data set {settings.name!r} of images; fix: use 'digits', or "
                        "give a path")  # fmt: skip
    if settings.path is not None and Path(settings.path).suffix.lower() == ".npz":
        if not Path(settings.path).is_file():
            raise DataError(f"{settings.path}: no such file; fix: correct task.data.path")
        from models.data.npz import read_npz

        return _source(in_memory(read_npz(settings)), settings)
    from models.data.image_tables import read_image_tables

    return _source(read_image_tables(settings), settings)


@dataclass(frozen=True)
class _Part:
    """A split of a task: all rows of a split of the source, or some."""

    name: str
    rows: Indices | slice
    labels: Labels


def _source(stored: StoredImages, settings: DataSettings) -> ImageSource:
    facts = stored.facts
    names, shares = named_splits(list(facts.labels), settings.splits, facts.place)
    label_names, parts = _parts(facts, names, shares, settings.split_seed)
    labels = {split: part.labels for split, part in parts.items()}
    keys = {split: stored.keys[part.name][part.rows] for split, part in parts.items()}
    warnings = (
        *facts.warnings,
        *_unused(facts, names),
        *check_classes(facts.place, label_names, labels),
        *_repeats(facts.place, keys, labels),
    )
    if not shares:
        groups = {split: _groups(facts, name) for split, name in names.items()}
        warnings += tuple(_divided_groups(facts.place, groups))
    return ImageSource(
        name=facts.name,
        kind=facts.kind,
        shape=stored.shape,
        label_names=label_names,
        counts={split: len(each) for split, each in labels.items()},
        scale=float(np.iinfo(stored.dtype).max),
        seeded_splits=bool(shares),
        read=lambda: _read(stored, parts),
        digest=lambda: _digest(stored, label_names, parts),
        warnings=warnings,
    )


def _rows_of(place: str) -> Place:
    return lambda row: f"{place}, row {row}"


def _parts(
    facts: Facts, names: Mapping[str, str], shares: Mapping[str, float], seed: int
) -> tuple[tuple[str, ...], dict[str, _Part]]:
    """Return the names of the classes, and train, validation and test with numbers for labels."""
    used = {split: facts.labels[name] for split, name in names.items()}
    places = {split: facts.places[name] for split, name in names.items()}
    label_names, labels = number_labels(
        used, facts.label_names, {split: _rows_of(place) for split, place in places.items()}
    )
    rows: dict[str, Indices | slice] = dict.fromkeys(names, slice(None))
    if shares:
        groups = _groups(facts, names["train"])
        try:
            rows |= hold_out(labels["train"], shares, seed, groups)
        except DataError as error:
            raise DataError(f"{places['train']}: {error}") from error
    parts = {}
    for split in SPLITS:
        origin = split if split in names else "train"
        parts[split] = _Part(names[origin], rows[split], labels[origin][rows[split]])
    return label_names, parts


def _read(stored: StoredImages, parts: Mapping[str, _Part]) -> Splits:
    images = stored.read()
    return {split: (images[part.name][part.rows], part.labels) for split, part in parts.items()}


def _digest(
    stored: StoredImages, label_names: tuple[str, ...], parts: Mapping[str, _Part]
) -> str:  # fmt: skip
    """Return hex digits over the content; by the files' bytes and the hub as they always were."""
    if stored.facts.kind == "hub":
        pairs = sorted(_read(stored, parts).items())
        return content_digest(*(array for _, pair in pairs for array in pair))
    is_as_stored = all(part.name == split and isinstance(part.rows, slice)
                       for split, part in parts.items())  # fmt: skip
    if stored.facts.file_digest and is_as_stored:
        return stored.facts.file_digest
    form = repr((stored.dtype, stored.shape, label_names))
    content = [
        array for split in SPLITS
        for array in (stored.keys[parts[split].name][parts[split].rows], parts[split].labels)
    ]  # fmt: skip
    return hashlib.sha256((form + content_digest(*content)).encode()).hexdigest()


def _unused(facts: Facts, names: Mapping[str, str]) -> list[str]:
    unused = sorted(facts.labels.keys() - set(names.values()))
    if not unused:
        return []
    return [f"{facts.place}: splits that are not used: {', '.join(unused)}; fix: choose them in "
            "task.data.splits, or remove them"]  # fmt: skip


def _groups(facts: Facts, name: str) -> list[Hashable] | None:
    """Return the group of every row of a split of the source; None without groups.

    Raises:
        DataError: a row has none.
    """
    if name not in facts.groups:
        return None
    for row, group in enumerate(facts.groups[name]):
        if group is None or group == "" or group != group:  # NaN is not equal to itself
            raise DataError(f"{facts.places[name]}, row {row}: the group is missing; "
                            "fix: fill it in")  # fmt: skip
    # A list or a mapping counts as its text, as a group of texts does.
    return [each if isinstance(each, Hashable) else str(each) for each in facts.groups[name]]


def _divided_groups(place: str, groups: Mapping[str, Sequence[Any] | None]) -> list[str]:
    """Warn of groups that the source's own splits divide."""
    train = set(groups.get("train") or ())
    shared = {split: len(train & set(groups.get(split) or ())) for split in SPLITS[1:]}
    return [
        f"{place}, {split}: groups that are also in train: {count}; fix: put each into one split"
        for split, count in shared.items() if count
    ]  # fmt: skip


def _repeats(
    place: str, keys: Mapping[str, npt.NDArray[np.uint8]], labels: Mapping[str, Labels]
) -> list[str]:
    """Warn of images with the same pixels, within training and between splits."""
    train = [key.tobytes() for key in keys["train"]]
    seen = set(train)
    warnings = []
    if len(seen) < len(train):
        other = len(set(zip(train, labels["train"].tolist(), strict=True))) - len(seen)
        warnings.append(
            f"{place}, train: images that repeat the pixels of another: "
            f"{len(train) - len(seen)} of {len(train)}"
            + f", with another label: {other}" * bool(other)
            + "; fix: remove them"
        )
    for split in SPLITS[1:]:
        count = sum(key.tobytes() in seen for key in keys[split])
        if count:
            warnings.append(
                f"{place}, {split}: images that are also in train: {count} of {len(keys[split])}, "
                "so results look better than they are; fix: remove them from one"
            )
    return warnings

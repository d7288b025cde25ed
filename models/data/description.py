"""The description of a data set: shape or classes, sizes and a digest.

Two searches have the same task only if the digests agree, so the digest covers the content of the
source and all settings that change the data of a trial. Imports neither torch nor transformers, and
datasets only for a data set of the hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

from models.data.sources import DataError, ImageSource, open_source, whole_setting
from models.data.validation_split import FEWEST, too_few

_SOURCES = ("name", "path", "hub")
_OPTIONS = ("train_examples", "image_size", "split_seed")


@dataclass(frozen=True)
class DataDescription:
    """A data set as trials see it; `shape` is (channels, height, width).

    `digest` has 12 hex digits over the content of the source and over `train_examples`,
    `image_size` and the split seed, each only where it changes the data: all training examples or
    the native size give the same digest as no setting. `warnings` say what is suspicious, each with
    its fix.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    classes: int
    train: int
    validation: int
    test: int
    digest: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextDescription:
    """A text data set as trials see it.

    `kind` is classification, entities or dialogue; `classes` counts `label_names` (for entities
    the tags), None for dialogue. `train`, `validation` and `test` count examples. `repeated` and
    `leaked` count training examples of the source that repeat an earlier one, or are also in
    validation or test; the setting `deduplicate` drops them. `removed` counts those dropped because
    other data sets are evaluated on them (`without`). `digest` has 12 hex digits over all texts,
    labels and label names of a trial. `warnings` say what is suspicious, each with its fix.
    """

    name: str
    kind: str
    classes: int | None
    label_names: tuple[str, ...]
    train: int
    validation: int
    test: int
    repeated: int
    leaked: int
    licence: str
    digest: str
    removed: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """A checked source and the selected part; None: all examples, native size."""

    source: ImageSource
    train_examples: int | None
    image_size: int | None
    split_seed: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (channels, height, width) after pooling."""
        channels, height, width = self.source.shape
        factor = height // self.image_size if self.image_size else 1
        return channels, height // factor, width // factor


def select(settings: Mapping[str, Any]) -> Selection:
    """Check `settings` against their source; see `describe_data`.

    Raises:
        DataError: as `describe_data`.
    """
    unknown = [key for key in settings if key not in (*_SOURCES, *_OPTIONS)]
    given = [key for key in _SOURCES if settings.get(key) is not None]
    if unknown or len(given) != 1:
        problem = f"unknown {unknown}" if unknown else f"sources {given}"
        raise DataError(f"data {dict(settings)}: {problem}; fix: give one of name, parquet or hub, "
                        f"and optionally {', '.join(_OPTIONS)}")  # fmt: skip
    seed = whole_setting(settings, "split_seed", 0) or 0
    source = open_source(given[0], str(settings[given[0]]), seed)
    examples = whole_setting(settings, "train_examples", len(source.label_names))
    size = whole_setting(settings, "image_size", 1)
    if examples is not None and examples > source.counts["train"]:
        raise DataError(f"{source.name}: train_examples is {examples}, but the training split has "
                        f"{source.counts['train']}; fix: give at most that")  # fmt: skip
    _, height, width = source.shape
    if size is not None and (size > height or height % size or width % (height // size)):
        fitting = [s for s in range(1, height + 1) if not (height % s or width % (height // s))]
        raise DataError(f"{source.name}: image_size is {size}, which does not divide the images of "
                        f"{height}x{width}; fix: choose one of {fitting}")  # fmt: skip
    return Selection(
        source,
        None if examples == source.counts["train"] else examples,
        None if size == height else size,
        seed,
    )


@overload
def describe_data(
    settings: Mapping[str, Any], kind: Literal["images"] = "images"
) -> DataDescription: ...
@overload
def describe_data(
    settings: Mapping[str, Any], kind: str = "images"
) -> DataDescription | TextDescription: ...
def describe_data(
    settings: Mapping[str, Any], kind: str = "images"
) -> DataDescription | TextDescription:
    """Describe the data set of a task, after checking all of it but the values of its pixels.

    `kind` is the model's kind of data: "images", or "classification", "entities" or "dialogue",
    whose settings `models.data.text.selection.select_text` lists. For images `settings` name one
    source: {"name": "digits"}, {"path": folder} or {"hub": name}; optional are `train_examples`
    (a fixed stratified subset of the training split, drawn by the split seed), `image_size`
    (area-pooled down to this height) and `split_seed` (default 0).

    Raises:
        DataError: the source is missing or damaged, or a setting does not fit it; the message
            names the file, the problem and the fix.
    """
    return _describe_images(settings) if kind == "images" else _describe_text(settings, kind)


def _describe_images(settings: Mapping[str, Any]) -> DataDescription:
    selection = select(settings)
    source = selection.source
    if source.counts["validation"] < FEWEST:
        raise DataError(f"{source.name}: {too_few(source.counts['validation'])}")
    seeded = source.seeded_splits or selection.train_examples is not None
    seen = (source.digest(), selection.train_examples, selection.image_size,
            selection.split_seed if seeded else None)  # fmt: skip
    return DataDescription(
        name=source.name,
        kind=source.kind,
        shape=selection.shape,
        classes=len(source.label_names),
        train=selection.train_examples or source.counts["train"],
        validation=source.counts["validation"],
        test=source.counts["test"],
        digest=hashlib.sha256(repr(seen).encode()).hexdigest()[:12],
    )


def _describe_text(settings: Mapping[str, Any], kind: str) -> TextDescription:
    from models.data.text.selection import select_text

    selection = select_text(settings, kind)
    splits = selection.splits
    return TextDescription(
        name=splits.name,
        kind=kind,
        classes=len(splits.label_names) or None,
        label_names=splits.label_names,
        train=len(splits.train),
        validation=len(splits.validation),
        test=len(splits.test),
        repeated=selection.repeated,
        leaked=selection.leaked,
        licence=splits.licence,
        digest=splits.digest,
        removed=selection.removed,
        warnings=selection.warnings,
    )

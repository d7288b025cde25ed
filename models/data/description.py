"""The description of a data set: shape or classes, sizes and a digest.

Two searches have the same task only if the digests agree, so the digest covers the content of the
source and all settings that change the data of a trial. Imports neither torch nor transformers, and
`datasets` for no embedded data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

from models.data.images import open_images
from models.data.settings import read_settings
from models.data.sources import DataError, ImageSource
from models.data.validation_split import FEWEST, too_few


@dataclass(frozen=True)
class DataDescription:
    """A data set as trials see it; `shape` is (channels, height, width).

    `digest` has 12 hex digits over the content of the source and over `train_examples`,
    `image_size` and the split seed, each only where it changes the data: all training examples or
    the native size give the same digest as no setting. `seeded_splits` says whether the split seed
    decided which example is in which split. `warnings` say what is suspicious, each with its fix.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    classes: int
    train: int
    validation: int
    test: int
    digest: str
    seeded_splits: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextDescription:
    """A text data set as trials see it.

    `kind` is classification, ranking, entities or dialogue; `classes` counts `label_names` (for
    ranking the grades, for entities the tags), None for dialogue. `train`, `validation` and
    `test` count examples. `repeated` and `leaked` count training examples of the source that repeat
    an earlier one, or are also in validation or test; the setting `deduplicate` drops them.
    `removed` counts those dropped because other data sets are evaluated on them (`without`).
    `digest` has 12 hex digits over all texts, labels and label names of a trial, and the groups of
    validation. `warnings` say what is suspicious, each with its fix.
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
    """A checked source and the selected part; None: all examples, native size.

    `shape` is (channels, height, width) of the selected images. They are pooled if `is_pooled`,
    else, with an `image_size`, resized and cut to squares.
    """

    source: ImageSource
    train_examples: int | None
    image_size: int | None
    split_seed: int
    shape: tuple[int, int, int]
    is_pooled: bool


def select(settings: Mapping[str, Any]) -> Selection:
    """Check `settings` against their source; see `describe_data`.

    Raises:
        DataError: as `describe_data`.
    """
    checked = read_settings(settings, "images")
    source = open_images(checked)
    examples, size = checked.train_examples, checked.image_size
    fewest, most = len(source.label_names), source.counts["train"]
    if examples is not None and not fewest <= examples <= most:
        raise DataError(f"{source.name}: train_examples is {examples}, but the training split has "
                        f"{most} of {fewest} classes; fix: give {fewest} to {most}")  # fmt: skip
    channels, height, width = source.shape
    if size is not None and (size > height or (size > width and not _divides(size, source.shape))):
        raise DataError(f"{source.name}: image_size is {size}, but the images have {height}x{width}"
                        f" pixels; fix: give at most {min(height, width)}")  # fmt: skip
    is_pooled = size is not None and _divides(size, source.shape)
    shape = source.shape
    if size is not None:
        shape = (channels, size, width // (height // size) if is_pooled else size)
    return Selection(
        source,
        None if examples == source.counts["train"] else examples,
        None if size == height else size,
        checked.split_seed,
        shape,
        is_pooled,
    )


def _divides(size: int, shape: tuple[int, int, int]) -> bool:
    """Whether images can be reduced to a height by averaging whole squares of pixels."""
    _, height, width = shape
    return height % size == 0 and width % (height // size) == 0


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

    `kind` is the model's kind of data: "images", or one of `models.kinds.TEXT_KINDS`.
    The keys of `settings` are those of `models.data.settings.DataSettings`, of a spec `task.data`.

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
        seeded_splits=source.seeded_splits,
        warnings=source.warnings,
    )


def _describe_text(settings: Mapping[str, Any], kind: str) -> TextDescription:
    from models.data.text.selection import select_text
    from models.data.text.validation_parts import validation_parts

    selection = select_text(settings, kind)
    splits = selection.splits
    try:  # with any seed: the numbers of examples and groups decide
        validation_parts(splits.validation, kind, 0)
    except DataError as error:
        raise DataError(f"{splits.name}: {error}") from error
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

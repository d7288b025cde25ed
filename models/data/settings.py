"""The settings of a task's data set, checked: its source, its columns and what is taken from it.

They are the keys of `task.data` in a specification, and documented for it here. Whether the source
exists and fits them is found when it is opened. Imports no `datasets`, so that embedded data are
described quickly.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from models.data.sources import SPLITS, DataError

SOURCES = ("name", "path", "hub", "targets")
IMAGES_ONLY = ("image_column", "image_size")
TEXTS_ONLY = ("targets", "text_column", "pair_column", "deduplicate", "without")
_COLUMNS = ("image_column", "text_column", "pair_column", "label_column", "group_column")
# The least legal value of each whole number.
_WHOLE = {"train_examples": 1, "image_size": 1, "split_seed": 0}


@dataclass(frozen=True)
class DataSettings:
    """The data set: exactly one of the first four is its source.

    Attributes:
        name: Embedded data: `digits`, or `dialogue`.
        path: A file or folder, relative to the spec: pictures in folders, parquet, CSV, TSV, JSON
            lines, CoNLL columns or `.npz`.
        hub: A data set on the Hugging Face hub: `NAME` or `NAME@REVISION`.
        targets: Target, in words, to a folder of texts about it: pairs to classify.
        subset: Which configuration of a data set of the hub.
        kind: What a training function is given as `trial.data`; by default guessed from files and
            columns, as by `twentieth data`. For a model it is always the model's.
        splits: `train`, `validation` and `test` to the name of a split of the source, or to a share
            of the training examples to hold out.
        image_column: The column of pictures; by default the only one of that type.
        text_column: The column of texts (`text`), words (`tokens`) or messages (`messages`).
        pair_column: The column of a pair's second text; by default `text_pair`, if there is one.
        label_column: The column of labels (`label`), tags (`tags`) or answers (`answer`).
        group_column: A column whose equal values are never divided between splits. For a ranking
            (`group`) it says whose items are put in order: of a user, a query.
        train_examples: The number of training examples to use; all by default.
        image_size: The height that images are reduced to; by default their own.
        split_seed: The seed of the splits that the source does not have itself, and of the choice
            of `train_examples`.
        deduplicate: Whether training texts that repeat or are in another split are dropped.
        without: Folders of other data sets; training texts that are in their validation or test
            splits are dropped.
    """

    name: str | None = None
    path: str | None = None
    hub: str | None = None
    targets: Mapping[str, str] | None = field(default=None, hash=False)
    subset: str | None = None
    kind: str | None = None
    splits: Mapping[str, str | float] = field(default_factory=dict, hash=False)
    image_column: str | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    train_examples: int | None = None
    image_size: int | None = None
    split_seed: int = 0
    deduplicate: bool = False
    without: tuple[str, ...] = ()


KEYS = tuple(each.name for each in fields(DataSettings))


def read_settings(settings: Mapping[str, Any], kind: str) -> DataSettings:
    """Return the checked settings of a data set; a value of None counts as not given.

    Args:
        settings: the keys of `DataSettings`.
        kind: "images", or the kind of text: one of `models.kinds.TEXT_KINDS`.

    Raises:
        DataError: an unknown key, none or several sources, a value of another type, or a key that
            means nothing for this kind.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    allowed = [key for key in KEYS if key not in (TEXTS_ONLY if kind == "images" else IMAGES_ONLY)]
    for key in given:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), allowed, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"the keys are {', '.join(allowed)}"
            raise DataError(f"data {dict(settings)}: unknown key {key!r}; fix: {hint}")
        if key not in allowed:
            raise DataError(
                f"data {dict(settings)}: {key} means nothing for {kind}; fix: remove it"
            )
    if given.get("kind", kind) != kind:
        raise DataError(f"kind is {given['kind']!r}, and {kind} is read; fix: remove it")
    sources = [key for key in SOURCES if key in given]
    if len(sources) != 1:
        of_kind = ", ".join(key for key in SOURCES if key in allowed)
        raise DataError(f"data {dict(settings)}: sources {sources}; fix: give one of {of_kind}")
    for key in (*_COLUMNS, "name", "path", "hub", "subset"):
        if key in given and (not isinstance(given[key], str) or not given[key].strip()):
            raise DataError(f"{key} is {given[key]!r}; fix: give text")
    for key, low in _WHOLE.items():
        value = given.get(key, low)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise DataError(f"{key} is {value!r}; fix: give a whole number of at least {low}")
    if not isinstance(given.get("deduplicate", False), bool):
        raise DataError(f"deduplicate is {given['deduplicate']!r}; fix: give true or false")
    if "subset" in given and "hub" not in given:
        raise DataError("subset names a configuration on the hub; fix: remove it, or give hub")
    return DataSettings(
        **given | {"splits": _splits(given), "without": _folders(given.get("without", ()))}
    )


def _splits(given: Mapping[str, Any]) -> dict[str, str | float]:
    splits = given.get("splits", {})
    if not isinstance(splits, Mapping):
        raise DataError(f"splits is {splits!r}; fix: map {', '.join(SPLITS)} to names or shares")
    if splits and given.keys() & {"name", "targets"}:
        raise DataError("splits chooses those of a path or of the hub; fix: remove it")
    for split, value in splits.items():
        if split not in SPLITS:
            raise DataError(f"splits has {split!r}; fix: use {', '.join(SPLITS)}")
        is_share = isinstance(value, float) and 0 < value < 1 and split != "train"
        if not is_share and not (isinstance(value, str) and value.strip()):
            kinds = "a name" if split == "train" else "a name, or a share of train between 0 and 1"
            raise DataError(f"splits.{split} is {value!r}; fix: give {kinds}")
    return dict(splits)


def _folders(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise DataError(f"without is {value!r}; fix: give a list of folders of other data sets")
    return tuple(value)

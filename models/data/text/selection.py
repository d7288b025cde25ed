"""Loading of a task's texts; the settings are those of `describe_data`. Imports no torch.

The digest is over the selected data, so an option that changes nothing does not change it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.data.sources import SPLITS, DataError, stratified, whole_setting
from models.data.text.deduplication import contained_in, find_repeats
from models.data.text.entity_tags import number_tags
from models.data.text.splits import TextExamples, TextSource, TextSplits, check_kind

_SOURCES = ("name", "path", "targets", "hub")
_OPTIONS = ("train_examples", "split_seed", "deduplicate", "without")


@dataclass(frozen=True)
class TextSelection:
    """The selected data set, and counts of repeated examples.

    `repeated` and `leaked` count examples of the source's training split that repeat an earlier
    one, or are also in validation or test; `deduplicate` drops them. `removed` counts those that
    `without` drops in addition.
    """

    splits: TextSplits
    repeated: int
    leaked: int
    removed: int = 0


def load_text(settings: Mapping[str, Any], kind: str) -> TextSplits:
    """Load what `settings` select.

    Example:
        `load_text({"path": "/data/trec6", "train_examples": 2000, "deduplicate": True},
        "classification")`

    Raises:
        DataError: as `select_text`.
    """
    return select_text(settings, kind).splits


def select_text(settings: Mapping[str, Any], kind: str) -> TextSelection:
    """Load what `settings` select, with the counts of repeated examples.

    `settings` name one source: {"path": folder}, {"targets": {target: folder}}, {"hub": name}
    or {"name": "dialogue"}; optional are `train_examples` (a fixed subset of the training split,
    drawn by the split seed, for classification with the shares of its classes), `split_seed`
    (default 0), `deduplicate` (drop repeated and leaked training examples, before the subset) and
    `without` (folders of other data sets of this kind: drop training examples that are in their
    validation or test splits, so that weights can be transferred to them).

    Raises:
        DataError: the source is missing or damaged, or a setting does not fit it; the message
            names the file, the row, the problem and the fix.
    """
    check_kind(kind)
    unknown = [key for key in settings if key not in (*_SOURCES, *_OPTIONS)]
    given = [key for key in _SOURCES if settings.get(key) is not None]
    if unknown or len(given) != 1:
        problem = f"unknown {unknown}" if unknown else f"sources {given}"
        raise DataError(f"data {dict(settings)}: {problem}; fix: give one of "
                        f"{', '.join(_SOURCES)}, and optionally {', '.join(_OPTIONS)}")  # fmt: skip
    seed = whole_setting(settings, "split_seed", 0) or 0
    deduplicate = settings.get("deduplicate", False)
    if not isinstance(deduplicate, bool):
        raise DataError(f"deduplicate is {deduplicate!r}; fix: give true or false")
    source = _open(given[0], settings[given[0]], kind, seed)
    splits, names = source.splits, source.label_names
    if kind == "entities":
        splits, names = number_tags(splits)
    repeats = find_repeats(splits, kind)
    if deduplicate:
        splits = {**splits, "train": splits["train"].take(repeats.unique)}
    splits, removed = _without(splits, settings.get("without"), kind)
    wanted = whole_setting(settings, "train_examples", max(1, len(source.label_names)))
    splits = {**splits, "train": _subset(source.name, splits["train"], kind, wanted, seed)}
    _check_training(source.name, splits["train"], kind, names)
    selected = TextSplits(
        kind=kind,
        name=source.name,
        **splits,
        label_names=names,
        licence=source.licence,
        digest=_digest(kind, names, splits),
    )
    return TextSelection(selected, repeats.repeated, repeats.leaked, removed)


def _without(
    splits: dict[str, TextExamples], folders: Any, kind: str
) -> tuple[dict[str, TextExamples], int]:
    """Drop training examples that other data sets are evaluated on, and count them."""
    if folders is None:
        return splits, 0
    if not isinstance(folders, list | tuple) or not all(isinstance(f, str) for f in folders):
        raise DataError(f"without is {folders!r}; fix: give a list of folders of other data sets")
    from models.data.text.folders import read_folder

    others = [read_folder(folder, kind).splits for folder in folders]
    evaluated = [other[split] for other in others for split in ("validation", "test")]
    gone = contained_in(splits["train"], evaluated, kind)
    kept = [index for index in range(len(splits["train"])) if index not in gone]
    return {**splits, "train": splits["train"].take(kept)}, len(gone)


def _open(source: str, value: Any, kind: str, split_seed: int) -> TextSource:
    if source == "path":
        from models.data.text.folders import read_folder

        return read_folder(str(value), kind)
    if source == "targets":
        from models.data.text.folders import read_targets

        if kind != "classification":
            raise DataError(f"targets make pairs for classification, not {kind}; fix: give parquet")
        return read_targets(value)
    if source == "hub":
        from models.data.hub import hub_texts

        return hub_texts(str(value), kind, split_seed)
    if value != "dialogue" or kind != "dialogue":
        raise DataError(f"no embedded data set {value!r} for {kind}; there is 'dialogue' for "
                        "dialogue; fix: give a folder by parquet")  # fmt: skip
    from models.data.text.dialogue import read_dialogue

    return read_dialogue()


def _subset(
    name: str, train: TextExamples, kind: str, count: int | None, seed: int
) -> TextExamples:
    if count is None or count == len(train):
        return train
    if count > len(train):
        raise DataError(
            f"{name}: train_examples is {count}, but the training split has "
            f"{len(train)} (after any deduplication); fix: give at most that"
        )
    if kind == "classification":
        return train.take(stratified(np.asarray(train.labels, np.int64), count, seed))
    return train.take(np.sort(np.random.default_rng(seed).permutation(len(train))[:count]))


def _check_training(
    name: str, train: TextExamples, kind: str, label_names: tuple[str, ...]
) -> None:
    if not len(train):
        raise DataError(f"{name}: every training example is in validation or test; fix: use "
                        "other splits, or remove deduplicate or without")  # fmt: skip
    if kind == "classification" and len(set(train.labels)) < 2:
        only = label_names[train.labels[0]]
        raise DataError(
            f"{name}, train: every example is {only!r}; fix: give examples of two classes"
        )
    if kind == "entities" and len(label_names) < 2:
        raise DataError(
            f"{name}: every tag of every split is 'O'; fix: give sentences with entities"
        )


def _digest(kind: str, names: tuple[str, ...], splits: Mapping[str, TextExamples]) -> str:
    digest = hashlib.sha256(json.dumps([kind, names]).encode())
    for split in SPLITS:
        digest.update(json.dumps([splits[split].texts, splits[split].labels]).encode())
    return digest.hexdigest()[:12]

"""Loading of a task's texts; `models/data/settings.py` documents the settings. Imports no torch.

The digest is over the selected data, so an option that changes nothing does not change it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.data.settings import DataSettings, read_settings
from models.data.sources import SPLITS, DataError, stratified
from models.data.text.deduplication import contained_in, contradictions, find_repeats
from models.data.text.entity_tags import entity_types, number_tags
from models.data.text.relevance import whole_groups
from models.data.text.splits import TextExamples, TextSource, TextSplits, check_kind
from models.kinds import KINDS

_SHOWN = 80  # characters of a text in a warning


@dataclass(frozen=True)
class TextSelection:
    """The selected data set, and counts of repeated examples.

    `repeated` and `leaked` count examples of the source's training split that repeat an earlier
    one, or are also in validation or test; `deduplicate` drops them. `removed` counts those that
    `without` drops in addition. `warnings` say what is suspicious, each with its fix.
    """

    splits: TextSplits
    repeated: int
    leaked: int
    removed: int = 0
    warnings: tuple[str, ...] = ()


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

    Args:
        settings: the keys of `DataSettings`. `train_examples` is a fixed subset of the training
            split, drawn by the split seed, for classification with the shares of its classes, for
            ranking of whole groups.
            `deduplicate` comes before it, and so does `without`, so that weights can be
            transferred to the tasks of these data sets.
        kind: one of `models.kinds.TEXT_KINDS`.

    Raises:
        DataError: the source is missing or damaged, or a setting does not fit it; the message
            names the file, the row, the problem and the fix.
    """
    check_kind(kind)
    checked = read_settings(settings, kind)
    source = _open(checked, kind)
    splits, names = source.splits, source.label_names
    if kind == "entities":
        splits, names = number_tags(splits)
    repeats = find_repeats(splits, kind)
    if checked.deduplicate:
        splits = {**splits, "train": splits["train"].take(repeats.unique)}
    splits, removed = _without(splits, checked, kind)
    splits = {**splits, "train": _subset(source, splits["train"], kind, checked)}
    _check_training(source.name, splits["train"], kind, names)
    selected = TextSplits(
        kind=kind,
        name=source.name,
        **splits,
        label_names=names,
        licence=source.licence,
        digest=_digest(kind, names, splits),
    )
    warnings = [*source.warnings, *_warnings(source, kind)]
    if not checked.deduplicate and repeats.leaked + repeats.repeated:
        warnings.append(
            f"{source.name}: training examples that repeat another one: {repeats.repeated}, that "
            f"are also in validation or test: {repeats.leaked}, which makes metrics too high; "
            "fix: deduplicate: true"
        )
    return TextSelection(selected, repeats.repeated, repeats.leaked, removed, tuple(warnings))


def _warnings(source: TextSource, kind: str) -> list[str]:
    """Return what is suspicious in the labels of all splits."""
    warnings = []
    several = contradictions(source.splits, kind)
    if several:
        warnings.append(f"{source.name}: texts with more than one label: {len(several)}, e.g. "
                        f"{several[0][:_SHOWN]!r}; fix: correct their labels")  # fmt: skip
    if kind == "entities":
        types = {split: entity_types(examples) for split, examples in source.splits.items()}
        for split in SPLITS[1:]:
            unknown = sorted(types[split] - types["train"])
            if unknown:
                warnings.append(f"{source.name}, {split}: no training example has entities of "
                                f"{', '.join(map(repr, unknown))}; fix: give examples")  # fmt: skip
    return warnings


def _without(
    splits: dict[str, TextExamples], settings: DataSettings, kind: str
) -> tuple[dict[str, TextExamples], int]:
    """Drop training examples that other data sets are evaluated on, and count them."""
    if not settings.without:
        return splits, 0
    from models.data.text.source import read_source

    paths = [DataSettings(path=folder, split_seed=settings.split_seed)
             for folder in settings.without]  # fmt: skip
    others = [read_source(path, kind).splits for path in paths]
    evaluated = [other[split] for other in others for split in ("validation", "test")]
    gone = contained_in(splits["train"], evaluated, kind)
    kept = [index for index in range(len(splits["train"])) if index not in gone]
    return {**splits, "train": splits["train"].take(kept)}, len(gone)


def _open(settings: DataSettings, kind: str) -> TextSource:
    # Imported here: embedded data need no parser of tables.
    if settings.targets is not None:
        from models.data.text.targets import read_targets

        if kind != "classification":
            raise DataError(f"targets make pairs for classification, not {kind}; fix: give a path")
        return read_targets(settings)
    if settings.name is None:
        from models.data.text.source import read_source

        return read_source(settings, kind)
    if settings.name != "dialogue" or kind != "dialogue":
        raise DataError(f"no embedded data set {settings.name!r} for {kind}; there is 'dialogue' "
                        "for dialogue; fix: give a path")  # fmt: skip
    from models.data.text.dialogue import read_dialogue

    return read_dialogue()


def _subset(
    source: TextSource, train: TextExamples, kind: str, settings: DataSettings
) -> TextExamples:
    count, least = settings.train_examples, len(source.label_names)
    if count is None or count == len(train):
        return train
    if not least <= count <= len(train):
        raise DataError(
            f"{source.name}: train_examples is {count}, but the training split has {len(train)} "
            f"(after any deduplication), of {least} classes; fix: give a number between these"
            if least
            else f"{source.name}: train_examples is {count}, but the training split has "
            f"{len(train)} (after any deduplication); fix: give at most that"
        )
    if kind == "classification":
        labels = np.asarray(train.labels, np.int64)
        return train.take(stratified(labels, count, settings.split_seed))
    if kind == "ranking":
        return train.take(whole_groups(train.groups or (), count, settings.split_seed))
    order = np.random.default_rng(settings.split_seed).permutation(len(train))
    return train.take(np.sort(order[:count]))


def _check_training(
    name: str, train: TextExamples, kind: str, label_names: tuple[str, ...]
) -> None:
    if not len(train):
        raise DataError(f"{name}: every training example is in validation or test; fix: use "
                        "other splits, or remove deduplicate or without")  # fmt: skip
    if KINDS[kind].has_text_class and len(set(train.labels)) < 2:
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
    if (groups := splits["validation"].groups) is not None:
        digest.update(json.dumps(groups).encode())
    return digest.hexdigest()[:12]

"""Class names and numbers of the labels in a source, and checks of the classes.

Names come from the source's metadata (a ClassLabel, `label_names`) where it has them. Otherwise
labels name themselves: the different values over all splits, sorted, texts as texts and whole
numbers as numbers.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.data.sources import SPLITS, DataError

_SHOWN = 5
Place = Callable[[int], str]  # a row's number -> where it is


def number_labels(
    columns: Mapping[str, Sequence[Any]], names: Sequence[str], places: Mapping[str, Place]
) -> tuple[tuple[str, ...], dict[str, npt.NDArray[np.int64]]]:
    """Return the classes' names, and each split's labels as their numbers.

    Args:
        columns: the labels of each split, as the source has them.
        names: the names that the source states, in the order of their numbers; empty for none.
        places: the place of a row of each split, for messages.

    Raises:
        DataError: a label is missing, hidden (-1), of another type than the first one, or none of
            the names.
    """
    kinds = dict.fromkeys(type(label) for labels in columns.values() for label in labels)
    first = next((kind for kind in kinds if kind in _WORDS), str)
    expected = int if names and str not in kinds else first
    for split, labels in columns.items():
        for row, label in enumerate(labels):
            if problem := _problem(label, expected, names):
                raise DataError(f"{places[split](row)}: {problem}")
        # The usual mark of hidden test labels. Of a source without names it may be a class.
        if -1 in labels and (names or set(labels) == {-1}):
            raise DataError(f"{places[split](list(labels).index(-1))}: label is -1, a hidden "
                            "label; fix: use a split with labels")  # fmt: skip
    if names and expected is int:
        numbers: dict[Any, int] = {number: number for number in range(len(names))}
    elif names:
        numbers = {name: number for number, name in enumerate(names)}
    else:
        found = sorted({label for labels in columns.values() for label in labels})
        numbers = {label: number for number, label in enumerate(found)}
        names = [str(label).lower() if expected is bool else str(label) for label in found]
    return tuple(names), {
        split: np.asarray([numbers[label] for label in labels], np.int64)
        for split, labels in columns.items()
    }


def _problem(label: Any, expected: type, names: Sequence[str]) -> str:
    """Return what is wrong with a label, and the fix; "" for a good one."""
    if label is None or label == "" or label != label:  # NaN is not equal to itself
        return "the label is missing; fix: remove the row or fill it in"
    kind = type(label)
    if kind is not expected:
        if kind is float:
            return (
                f"label is {label!r}, and regression is not supported; "
                "fix: write classes, as text or whole numbers"
            )
        if kind not in _WORDS:
            return (
                f"label is {reprlib.repr(label)}, a {kind.__name__}, and an example has one class; "
                "fix: write it as text or a whole number, or name another column in label_column"
            )
        problem = f"label is {label!r}, not {_WORDS[expected]}"
        return f"{problem} as others are; fix: write all labels in one way"
    if label == -1:  # checked over the whole split
        return ""
    if names and label not in (names if expected is str else range(len(names))):
        return (
            f"label is {label!r}, but there are {len(names)} label names "
            f"(0..{len(names) - 1}): {list(names)[:_SHOWN]}; fix: correct it or name every class"
        )
    return ""


_WORDS = {int: "a whole number", str: "text", bool: "true or false"}


def check_classes(
    name: str, label_names: Sequence[str], splits: Mapping[str, npt.NDArray[np.int64]]
) -> list[str]:
    """Check which classes each split has; return warnings, each with its fix.

    Raises:
        DataError: training has fewer examples than classes or a single class, or lacks a class that
            another split has.
    """
    counts = {split: Counter(splits[split].tolist()) for split in SPLITS}
    train, examples = counts["train"], len(splits["train"])
    if len(train) < 2:
        only = label_names[next(iter(train))] if train else "none"
        raise DataError(f"{name}, train: every example is {only!r}; fix: give examples of two "
                        "classes")  # fmt: skip
    if examples < len(label_names):
        raise DataError(f"{name}, train: {examples} examples of {len(label_names)} classes; "
                        "fix: give at least one example of each class")  # fmt: skip
    warnings = _similar(name, label_names)
    for split in SPLITS[1:]:
        unknown = [label_names[number] for number in sorted(counts[split].keys() - train.keys())]
        if unknown:
            raise DataError(
                f"{name}, {split}: {_listed(unknown)} is not in the training split; "
                "fix: give training examples of it, or remove those rows"
            )
        missing = [label_names[number] for number in sorted(train.keys() - counts[split].keys())]
        if missing:
            warnings.append(f"{name}, {split}: no example of {_listed(missing)}, so nothing is "
                            "measured of it; fix: give examples")  # fmt: skip
    empty = [each for number, each in enumerate(label_names) if number not in train]
    if empty:
        warnings.append(f"{name}: no example of {_listed(empty)} in any split; fix: give examples, "
                        "or remove the name")  # fmt: skip
    return warnings


def _similar(name: str, label_names: Sequence[str]) -> list[str]:
    """Return a warning if names differ only in case or in blanks around them."""
    counts = Counter(each.strip().casefold() for each in label_names)
    similar = [each for each in label_names if counts[each.strip().casefold()] > 1]
    if not similar:
        return []
    return [f"{name}: classes differ only in case or blanks ({_listed(similar)}); fix: write those "
            "that are one in one way"]  # fmt: skip


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more

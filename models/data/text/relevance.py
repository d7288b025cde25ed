"""Data to rank: grades of relevance, and the groups whose items are put in order.

A grade is a whole number, 0 for an item that is not relevant; more is more relevant. A group (a
user, a query) without a relevant item has no order to find, so no metric counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.data.sources import DataError
from models.data.text.splits import TextExamples


def read_grades(
    name: str,
    label_names: Sequence[str],
    stated: Sequence[str],
    splits: Mapping[str, TextExamples],
) -> tuple[tuple[str, ...], dict[str, TextExamples]]:
    """Return the grades as text, and the splits with their numbers as labels.

    False and true are the grades 0 and 1. Classes that the source names have their number. Grade 0
    is the number 0 also where no item has it.

    Args:
        name: the source, for messages.
        label_names: the classes by number.
        stated: those that the source's metadata names; empty for none.
        splits: the examples, with classes by number as labels.

    Raises:
        DataError: a class is neither a whole number of at least 0 nor true or false.
    """
    if stated or tuple(label_names) == ("false", "true"):
        return tuple(str(number) for number in range(len(label_names))), dict(splits)
    wrong = [each for each in label_names if not (each.isascii() and each.isdigit())]
    if wrong:
        raise DataError(f"{name}: {wrong[0]!r} is no grade of relevance; fix: write 0 for items "
                        "that are not relevant and 1 (or more, for more relevant ones) for those "
                        "that are")  # fmt: skip
    grades = sorted({0, *map(int, label_names)})
    numbers = [grades.index(int(each)) for each in label_names]
    ordered = {
        split: each.labelled(numbers[label] for label in each.labels)
        for split, each in splits.items()
    }
    return tuple(map(str, grades)), ordered


def relevant_groups(examples: TextExamples) -> set[str]:
    """Return the groups with a relevant item."""
    pairs = zip(examples.groups or (), examples.labels, strict=True)
    return {group for group, label in pairs if label > 0}


def check_groups(name: str, splits: Mapping[str, TextExamples]) -> list[str]:
    """Return a warning for each split with groups that no metric counts.

    Raises:
        DataError: validation or test has no group with a relevant item.
    """
    warnings = []
    for split in ("validation", "test"):
        every, relevant = set(splits[split].groups or ()), relevant_groups(splits[split])
        if not relevant:
            raise DataError(f"{name}, {split}: no group has a relevant item, so nothing can be "
                            "measured; fix: give groups with grades above 0")  # fmt: skip
        left = len(every) - len(relevant)
        if left:
            warnings.append(f"{name}, {split}: groups without a relevant item: {left} of "
                            f"{len(every)}; no metric counts them; fix: none is needed, or leave "
                            "them out")  # fmt: skip
    return warnings


def whole_groups(groups: Sequence[str], count: int, seed: int) -> list[int]:
    """Return the indices, ascending, of whole groups with at most `count` examples in all.

    Groups are taken in an order that the seed draws, and one that does not fit is passed over; the
    first one is taken whatever its size.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    names = list(members)
    taken: list[int] = []
    for number in np.random.default_rng(seed).permutation(len(names)):
        rows = members[names[int(number)]]
        if not taken or len(taken) + len(rows) <= count:
            taken += rows
    return sorted(taken)

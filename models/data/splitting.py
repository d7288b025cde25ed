"""Which rows of a source are for training, validation and test.

A source names its splits, or has some or all of its rows in one: what it lacks is held out of the
training rows by the split seed. Rows of one group (the sentences of a document, the images of a
patient) stay together.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.data.sources import SPLITS, DataError, stratified

# Names under which the splits go, the best one first.
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation"),
}
# Of a source that lacks the validation split alone, a tenth of the training rows: it has chosen a
# size for its test split, and most such sources are large.
_VALIDATION_SHARE = 0.1
# Of a source without splits: the validation split is cut into three parts, so it is no smaller than
# the test split.
_SHARE = 0.2

Indices = npt.NDArray[np.int64]


def named_splits(
    available: Sequence[str], wanted: Mapping[str, str | float], place: str
) -> tuple[dict[str, str], dict[str, float]]:
    """Return the source's name of each split that it has, and the share of train for the others.

    Args:
        available: Names of the source's splits.
        wanted: `DataSettings.splits`.
        place: File, folder or name of the source, for messages.

    Raises:
        DataError: the source has no split of a name that `wanted` has, or none for training.
    """
    names: dict[str, str] = {}
    shares = {split: value for split, value in wanted.items() if isinstance(value, float)}
    for split in SPLITS:
        value = wanted.get(split)
        if isinstance(value, str) and value not in available:
            raise DataError(f"{place}: splits.{split} is {value!r}, but its splits are "
                            f"{sorted(available)}; fix: name one of them")  # fmt: skip
        known = (value,) if isinstance(value, str) else NAMES[split] if value is None else ()
        found = [name for name in known if name in available]
        names |= {split: found[0]} if found else {}
    if "train" not in names and len(available) == 1:
        names = {"train": available[0]}  # a single split, whatever it is called
    if "train" not in names:
        raise DataError(f"{place}: no training split among {sorted(available)}; "
                        "fix: name it in splits.train")  # fmt: skip
    if len(set(names.values())) < len(names):
        raise DataError(f"{place}: splits are {names}; fix: name a split of the source once")
    only_validation = "test" in names or "test" in shares
    for split in SPLITS[1:]:
        if split not in names and split not in shares:
            shares[split] = _VALIDATION_SHARE if only_validation else _SHARE
    if sum(shares.values()) >= 1:
        raise DataError(f"{place}: the shares of splits {shares} leave nothing to train on; "
                        "fix: give smaller ones")  # fmt: skip
    return names, shares


def hold_out(
    labels: npt.NDArray[np.int64],
    shares: Mapping[str, float],
    seed: int,
    groups: Sequence[Any] | None = None,
) -> dict[str, Indices]:
    """Return the training rows of each split in `shares` and the rest, "train", ascending.

    Each split keeps the shares of the classes. The test split is drawn first. A share is one of all
    rows, at least one row; with groups it is met as nearly as whole groups allow.

    Args:
        labels: (n,), the classes; all 0 where rows have no class.
        shares: "validation" and "test", as far as they are held out, to shares of all rows.
        seed: the split seed.
        groups: (n,), what must not be divided; None: every row by itself.

    Raises:
        DataError: fewer rows or groups than splits, or every class has fewer rows than groups are
            folded into.
    """
    if len(labels) <= len(shares):
        raise DataError(
            f"too few examples to hold out {' and '.join(sorted(shares))}: {len(labels)} to train "
            "on; fix: give more, or a file or folder for each split"
        )
    rest = np.arange(len(labels))
    found: dict[str, Indices] = {}
    for split in ("test", "validation"):
        if split not in shares:
            continue
        count = max(1, int(len(labels) * shares[split]))
        # Another seed for the second draw, so that the two permutations are unrelated.
        draw = seed + len(found)
        if groups is None:
            chosen = rest[stratified(labels[rest], count, draw)]
        else:
            chosen = rest[
                _whole_groups([groups[int(row)] for row in rest], labels[rest], count, draw)
            ]
        found[split], rest = chosen, np.setdiff1d(rest, chosen)
    return found | {"train": rest}


def _whole_groups(
    groups: Sequence[Any], labels: npt.NDArray[np.int64], count: int, seed: int
) -> Indices:
    """Return about `count` rows of whole groups that keep the shares of the classes."""
    if len(set(groups)) < 2:
        raise DataError("the rows to divide into splits are one group; fix: give splits, more "
                        "groups, or no group_column")  # fmt: skip
    # Imported here: scikit-learn takes a second to import.
    from sklearn.model_selection import StratifiedGroupKFold

    folds = max(2, min(round(len(labels) / count), len(set(groups))))
    chosen = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(
        labels, labels, groups
    )
    with warnings.catch_warnings():
        # Of classes smaller than the number of folds, of which only one is taken.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return np.sort(next(chosen)[1])
        except ValueError as error:  # if that is true of all classes
            raise DataError(f"its groups cannot be divided ({error}); fix: give splits of their "
                            "own, or remove group_column") from error  # fmt: skip

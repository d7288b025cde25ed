"""The parts of a validation split: selection, objective and confirmation.

Data that select must not evaluate: the best of many epochs or trials looks better than it is on the
data that selected it (the winner's curse). So the selection part picks the epoch and steers the
scheduler; the objective part gives the objectives from the picked weights; the confirmation part is
used by neither sampler nor scheduler and confirms the best configurations.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.sources import DataError, Labels, stratified
from models.data.splitting import hold_out

# Half gives the objectives, which every comparison of trials depends on; a quarter is enough to
# pick one of a few epochs, and another to measure how optimistic the objectives of the best trials
# are.
_SHARES = np.array([0.25, 0.5, 0.25])
# With fewer examples a part would be empty.
FEWEST = len(_SHARES)


@dataclass(frozen=True, eq=False)
class Parts:
    """Indices of examples, int64, ascending, disjoint; together they are all examples."""

    selection: npt.NDArray[np.int64]
    objective: npt.NDArray[np.int64]
    confirmation: npt.NDArray[np.int64]


def too_few(n: int, what: str = "examples") -> str:
    """Return the error message for a validation split of `n` examples, fewer than `FEWEST`."""
    return (
        f"the validation split has {n} {what}, but one part picks the epoch, one gives the "
        f"objectives and one confirms them; fix: give at least {FEWEST}, better 100 for each part"
    )


def sizes(n: int) -> tuple[int, int, int]:
    """Return the sizes of the selection, objective and confirmation part of `n` examples."""
    exact = n * _SHARES
    found = np.floor(exact).astype(np.int64)
    found[np.argsort(found - exact, kind="stable")[: n - found.sum()]] += 1
    selection, objective, confirmation = found.tolist()
    return selection, objective, confirmation


def cut(labels: Labels, seed: int, groups: Sequence[Hashable] | None = None) -> Parts:
    """Cut examples with these labels (n,) into a quarter, a half and a quarter.

    Their `sizes` are rounded by the largest remainder, the earlier part first on a tie. Parts keep
    the shares of the classes as far as whole examples go. The same arguments give the same parts.

    Args:
        labels: the class of each example, or what else the parts should have in equal shares.
        seed: the seed of the cut.
        groups: (n,), the group of each example, such as a document; groups are not divided, so the
            sizes are met as nearly as whole groups allow. None: every example by itself.

    Raises:
        ValueError: fewer than three examples or groups, so that a part would be empty.
    """
    n = len(labels)
    if n < FEWEST:
        raise ValueError(too_few(n))
    if groups is not None:
        return _of_groups(labels, seed, groups)
    selected, _, confirmed = sizes(n)
    selection = stratified(labels, selected, seed)
    rest = np.setdiff1d(np.arange(n), selection)
    # Another seed than the first draw's, so that the two permutations are unrelated.
    confirmation = rest[stratified(labels[rest], confirmed, seed + 1)]
    return Parts(selection, np.setdiff1d(rest, confirmation), confirmation)


def _of_groups(labels: Labels, seed: int, groups: Sequence[Hashable]) -> Parts:
    """Cut into whole groups."""
    if len(set(groups)) < FEWEST:
        raise ValueError(too_few(len(set(groups)), "groups (documents, conversations)"))
    selection, _, confirmation = _SHARES.tolist()
    shares, problem = {"test": selection, "validation": confirmation}, "a part would be empty"
    try:
        held = hold_out(labels, shares, seed, groups)
    except DataError as error:
        held, problem = {}, str(error.__cause__ or error)
    if len(held) < len(_SHARES) or not all(map(len, held.values())):
        raise ValueError("the groups of the validation split cannot be cut into three parts "
                         f"({problem}); fix: give more groups, or remove "
                         "group_column")  # fmt: skip
    return Parts(held["test"], held["train"], held["validation"])

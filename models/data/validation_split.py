"""The parts of a validation split: selection, objective and confirmation.

Data that select must not evaluate: the best of many epochs or trials looks better than it is on the
data that selected it (the winner's curse). So the selection part picks the epoch and steers the
scheduler; the objective part gives the objectives from the picked weights; the confirmation part is
used by neither sampler nor scheduler and confirms the best configurations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.sources import Labels, stratified

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


def too_few(n: int) -> str:
    """Return the error message for a validation split of `n` examples, fewer than `FEWEST`."""
    return (
        f"the validation split has {n} examples, but one part picks the epoch, one gives the "
        f"objectives and one confirms them; fix: give at least {FEWEST}, better 100 for each part"
    )


def sizes(n: int) -> tuple[int, int, int]:
    """Return the sizes of the selection, objective and confirmation part of `n` examples."""
    exact = n * _SHARES
    found = np.floor(exact).astype(np.int64)
    found[np.argsort(found - exact, kind="stable")[: n - found.sum()]] += 1
    selection, objective, confirmation = found.tolist()
    return selection, objective, confirmation


def cut(labels: Labels, seed: int) -> Parts:
    """Cut examples with these labels (n,) into a quarter, a half and a quarter.

    Their `sizes` are rounded by the largest remainder, the earlier part first on a tie. Parts keep
    the shares of the classes as far as whole examples go. The same arguments give the same parts.

    Raises:
        ValueError: fewer than three examples, so that a part would be empty.
    """
    n = len(labels)
    if n < FEWEST:
        raise ValueError(too_few(n))
    selected, _, confirmed = sizes(n)
    selection = stratified(labels, selected, seed)
    rest = np.setdiff1d(np.arange(n), selection)
    # Another seed than the first draw's, so that the two permutations are unrelated.
    confirmation = rest[stratified(labels[rest], confirmed, seed + 1)]
    return Parts(selection, np.setdiff1d(rest, confirmation), confirmation)

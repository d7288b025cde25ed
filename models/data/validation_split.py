"""One cut of a validation split into parts that never stand in for each other.

What chooses must not judge: the best of many epochs or trials, measured on what chose it, looks
better than it is (the winner's curse). So part A, `selection`, picks the epoch and steers the
scheduler; part B, `objective`, gives the objectives from the picked weights; part C,
`confirmation`, is seen by neither sampler nor scheduler and confirms the best configurations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.sources import Labels, stratified

# Half judges, for both objectives and so every comparison of trials come from it; a quarter is
# enough to pick an epoch among few, and another to show by how much part B flatters the best.
_SHARES = np.array([0.25, 0.5, 0.25])
# With fewer a part would be empty.
FEWEST = len(_SHARES)


@dataclass(frozen=True, eq=False)
class Parts:
    """Indices of examples, int64, ascending, disjoint; together they are all examples."""

    selection: npt.NDArray[np.int64]
    objective: npt.NDArray[np.int64]
    confirmation: npt.NDArray[np.int64]


def too_few(n: int) -> str:
    """What is wrong with a validation split of `n` examples, fewer than `FEWEST`."""
    return (
        f"the validation split has {n} examples, but one part picks the epoch, one gives the "
        f"objectives and one confirms them; give it at least {FEWEST}, better 100 a part"
    )


def cut(labels: Labels, seed: int) -> Parts:
    """Cut examples with these labels (n,) into a quarter, a half and a quarter.

    Sizes are rounded by the largest remainder, the earlier part first on a tie. Parts keep the
    shares of the classes as far as whole examples go. The same arguments give the same parts.

    Raises:
        ValueError: fewer than three examples, so that a part would be empty.
    """
    n = len(labels)
    if n < FEWEST:
        raise ValueError(too_few(n))
    exact = n * _SHARES
    sizes = np.floor(exact).astype(np.int64)
    sizes[np.argsort(sizes - exact, kind="stable")[: n - sizes.sum()]] += 1
    selection = stratified(labels, int(sizes[0]), seed)
    rest = np.setdiff1d(np.arange(n), selection)
    # Another seed than the first draw's: the two permutations should not be related.
    confirmation = rest[stratified(labels[rest], int(sizes[2]), seed + 1)]
    return Parts(selection, np.setdiff1d(rest, confirmation), confirmation)

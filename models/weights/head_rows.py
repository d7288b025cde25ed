"""Rows of a head that travel from one task to another by the names of their labels.

A head has one row a label. The row of a label that both tasks know is carried over; the others
stay as freshly drawn. Entity tags are labels too: `B-person` is carried where both tasks declare
the entity type person, whatever its number is in either. Names must be equal letter by letter.

Not for the rest of a model's weights: see `initial.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.data.sources import DataError


@dataclass(frozen=True)
class Rows:
    """Which rows of a head travel.

    `pairs` are (row of the source, row of the target); `carried` and `fresh` name the target's
    labels, in their order.
    """

    pairs: tuple[tuple[int, int], ...]
    carried: tuple[str, ...]
    fresh: tuple[str, ...]


def rows_by_name(source: Sequence[str], target: Sequence[str]) -> Rows:
    """Matches the labels of two tasks by name.

    Example:
        `rows_by_name(["O", "B-person"], ["B-person", "B-place", "O"])` carries row 1 to row 0 and
        row 0 to row 2; B-place stays fresh.

    Raises:
        DataError: a name stands for two labels, so what its row means cannot be told.
    """
    for names in (source, target):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        if twice:
            raise DataError(f"the labels {twice} are named twice; rename them in the data set")
    place = {name: row for row, name in enumerate(source)}
    shared = [(place[name], row) for row, name in enumerate(target) if name in place]
    return Rows(
        pairs=tuple(shared),
        carried=tuple(name for name in target if name in place),
        fresh=tuple(name for name in target if name not in place),
    )


def carry_rows(target: Tensor, source: Tensor, rows: Rows) -> None:
    """Copies rows of `source` (source labels, ...) into `target` (target labels, ...), in place.

    Raises:
        ValueError: the rows are of different shapes.
    """
    if source.shape[1:] != target.shape[1:]:
        shapes = f"{tuple(source.shape[1:])} and {tuple(target.shape[1:])}"
        raise ValueError(f"rows of a head are of shapes {shapes}; both models must be built alike")
    with torch.no_grad():
        for old, new in rows.pairs:
            target[new].copy_(source[old])


def head_tensors(model: nn.Module, labels: int) -> tuple[str, ...]:
    """Names of the parameters with one row a label: those of the last linear layer.

    So it is in every model here: `classifier.3` of our CNN, `classifier`, `score` or
    `classifier.out_proj` of a transformer. Without labels, as in a language model, there are none.

    Raises:
        ValueError: the last linear layer does not have `labels` outputs.
    """
    if labels == 0:
        return ()
    linear = [(name, each) for name, each in model.named_modules() if isinstance(each, nn.Linear)]
    fitting = [(name, each) for name, each in linear if each.out_features == labels]
    if not fitting or fitting[-1][0] != linear[-1][0]:
        raise ValueError(f"the last linear layer of {type(model).__name__} has not {labels} rows")
    name, layer = fitting[-1]
    return tuple(f"{name}.{parameter}" for parameter, _ in layer.named_parameters(recurse=False))

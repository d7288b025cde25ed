"""Transfer of a head's rows from one task to another by the names of their labels.

A head has one row for each label. Rows of labels that both tasks have are copied; the others keep
their initialisation. Entity tags are labels too: `B-person` is copied where both tasks have the
entity type person, whatever its number is in either. Names are compared exactly.

The rest of a model's weights: `initial.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from models.data.sources import DataError


@dataclass(frozen=True)
class Rows:
    """Which rows of a head are copied, by `apply_initial` of `initial.py`.

    `pairs` are (row of the source, row of the target); `carried` and `fresh` name the target's
    labels, in their order.
    """

    pairs: tuple[tuple[int, int], ...]
    carried: tuple[str, ...]
    fresh: tuple[str, ...]


def rows_by_name(source: Sequence[str], target: Sequence[str]) -> Rows:
    """Match the labels of two tasks by name.

    Example:
        `rows_by_name(["O", "B-person"], ["B-person", "B-place", "O"])` copies row 1 to row 0 and
        row 0 to row 2; B-place stays fresh.

    Raises:
        DataError: two labels have the same name.
    """
    for names in (source, target):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        if twice:
            raise DataError(f"the labels {twice} occur twice; fix: rename them in the data set")
    place = {name: row for row, name in enumerate(source)}
    shared = [(place[name], row) for row, name in enumerate(target) if name in place]
    return Rows(
        pairs=tuple(shared),
        carried=tuple(name for name in target if name in place),
        fresh=tuple(name for name in target if name not in place),
    )


def head_tensors(model: nn.Module, labels: int) -> tuple[str, ...]:
    """Return the names of the parameters with one row for each label: the last linear layer.

    In the models here it is `classifier.3` of a plain CNN and `classifier.1` of a residual one,
    `classifier`, `score` or `classifier.out_proj` of a transformer. Without
    labels, as in a language model, there are none.

    Raises:
        ValueError: the last linear layer does not have `labels` outputs.
    """
    if labels == 0:
        return ()
    linear = [(name, each) for name, each in model.named_modules() if isinstance(each, nn.Linear)]
    fitting = [(name, each) for name, each in linear if each.out_features == labels]
    if not fitting or fitting[-1][0] != linear[-1][0]:
        raise ValueError(
            f"the last linear layer of {type(model).__name__} does not have {labels} rows"
        )
    name, layer = fitting[-1]
    return tuple(f"{name}.{parameter}" for parameter, _ in layer.named_parameters(recurse=False))

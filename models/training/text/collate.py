"""Batches of encoded rows of similar length, padded to their longest row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from models.training.text.encoding import IGNORED, Encoded

# Like transformers' length-grouped sampler: rows are sorted within pools of up to 50 batches. At
# least four pools, so that batches differ between epochs.
_POOL_BATCHES = 50
_POOLS = 4


def length_batches(
    lengths: Sequence[int], size: int, generator: torch.Generator | None
) -> list[list[int]]:
    """Return the indices of all rows in batches of `size` and similar length (one may be smaller).

    The generator draws the pools and the order of the batches; None gives the same batches every
    time, shortest first.
    """
    if generator is None:
        pools = [list(range(len(lengths)))]
    else:
        order = torch.randperm(len(lengths), generator=generator).tolist()
        pool = size * max(1, min(len(lengths) // (size * _POOLS), _POOL_BATCHES))
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    batches = []
    for pool_rows in pools:
        ordered = sorted(pool_rows, key=lambda row: lengths[row])
        batches += [ordered[start : start + size] for start in range(0, len(ordered), size)]
    if generator is None:
        return batches
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def collate(encoded: Sequence[Encoded], tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """Return one batch, int64, padded on the right (see `load_tokenizer`) to the longest row.

    Keys: `input_ids`, `attention_mask` (1: a token, 0: padding), `token_type_ids` if the model
    takes them, each (batch, tokens); `labels` (batch,) for classification, left out where a row
    has none, else (batch, tokens) with -100 at ignored tokens.
    """
    batch = {
        "input_ids": _padded([row.input_ids for row in encoded], int(tokenizer.pad_token_id)),
        "attention_mask": _padded([(1,) * len(row.input_ids) for row in encoded], 0),
    }
    types = [row.token_types for row in encoded if row.token_types is not None]
    if types:
        batch["token_type_ids"] = _padded(types, int(tokenizer.pad_token_type_id))
    by_token = [row.labels for row in encoded if isinstance(row.labels, tuple)]
    by_row = [row.labels for row in encoded if isinstance(row.labels, int)]
    if by_token:
        batch["labels"] = _padded(by_token, IGNORED)
    elif len(by_row) == len(encoded):
        batch["labels"] = torch.tensor(by_row, dtype=torch.long)
    return batch


def _padded(rows: Sequence[tuple[int, ...]], filling: int) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *(filling,) * (longest - len(row))] for row in rows])

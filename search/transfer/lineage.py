"""Where a trial's weights come from, in a sentence, from the receipt on its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from search.history.provenance import names_in_words
from search.tracking import names
from search.tracking.runs import tags_of
from search.tracking.store import open_client

_ROWS_NAMED = 5


def lineage_of(tracking_uri: str, run_id: str) -> str:
    """What the trial of a run started from, in a sentence or two; "" if from scratch."""
    tags = tags_of(open_client(tracking_uri), run_id)
    receipt = json.loads(names.joined_tag(names.RECEIPT, tags) or "{}")
    return lineage_in_words(receipt)


def lineage_in_words(receipt: Mapping[str, Any]) -> str:
    """A receipt as `search.transfer.weights.hand_on` writes it, in words; "" if there is none."""
    if not receipt:
        return ""
    overlap, lineage = receipt["overlap"], receipt["lineage"]
    base = f" on the base {receipt['base']}" if receipt.get("base") else ""
    parts = [
        f"It starts from the weights of {receipt['source']} (run {receipt['source_run']}, task "
        f"{receipt['source_task']}){base}: {receipt['tensors']} tensors, {_rows(receipt)}.",
        f"Of the {overlap['compared']} examples those weights were trained on, "
        f"{overlap['count'] or 'none'} stands in the validation or test split here.",
    ]
    if len(lineage) > 1:
        parts.append(f"Line of descent: {' > '.join(lineage)}.")
    return " ".join(parts)


def _rows(receipt: Mapping[str, Any]) -> str:
    carried, fresh = list(receipt["rows_carried"]), list(receipt["rows_fresh"])
    if not carried and not fresh:
        return "the whole head with them"
    named = f" ({names_in_words(carried, _ROWS_NAMED)})" if carried else ""
    return f"{len(carried)} head rows by label name{named}, {len(fresh)} drawn afresh"

"""Lineage: where the initial weights of a trial come from, through all ancestors.

`transfer/inherited_weights.py` writes it, with all keys below. Anybody can write to a store, so it
is checked as it is read: a trial whose lineage is damaged can be shown, but it gives no weights,
because it is unknown which examples they were trained on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from search.history.plurals import counted
from search.history.provenance import names_in_words

# So many labels whose rows were copied are named in a sentence.
_LABELS_NAMED = 5
_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "source": str, "source_run": str, "source_task": str, "ancestors": list, "tensors": int,
    "base": (str, type(None)), "rows_carried": list, "rows_initialized": list, "overlap": dict,
    "trained_on": list,
}  # fmt: skip
DAMAGED = "The record of where its initial weights come from is damaged."


def read_lineage(text: str | None) -> dict[str, Any]:
    """Returns the lineage in a tag; {} for a trial from scratch.

    Raises:
        ValueError: It is damaged.
    """
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(DAMAGED) from error
    return checked_lineage(found)


def checked_lineage(found: object) -> dict[str, Any]:
    """Returns a lineage, which may be empty.

    Raises:
        ValueError: It is damaged.
    """
    if not isinstance(found, dict):
        raise ValueError(DAMAGED)
    if not found:
        return {}
    is_whole = all(key in found and isinstance(found[key], kind) for key, kind in _KEYS.items())
    if not is_whole or "compared" not in found["overlap"]:
        raise ValueError(DAMAGED)
    names = [*found["ancestors"], *found["rows_carried"], *found["rows_initialized"]]
    are_names = all(isinstance(each, str) for each in names)
    if not are_names or not all(isinstance(each, dict) for each in found["trained_on"]):
        raise ValueError(DAMAGED)
    return found


def lineage_in_words(lineage: Mapping[str, Any]) -> str:
    """Returns a checked lineage as sentences; "" for an empty one."""
    if not lineage:
        return ""
    base = f" on the base {lineage['base']}" if lineage.get("base") else ""
    texts = [
        f"It starts from the weights of {lineage['source']} (run {lineage['source_run']}, task "
        f"{lineage['source_task']}){base}: {counted(lineage['tensors'], 'tensor')}, "
        f"{_rows(lineage)}.",
        f"None of the {lineage['overlap']['compared']} examples those weights were trained on is "
        f"in the validation or test split here.",
    ]
    if len(lineage["ancestors"]) > 1:
        texts.append(f"Lineage: {' > '.join(lineage['ancestors'])}.")
    return " ".join(texts)


def _rows(lineage: Mapping[str, Any]) -> str:
    carried, fresh = list(lineage["rows_carried"]), list(lineage["rows_initialized"])
    if not carried and not fresh:
        return "with the whole head"
    named = f" ({names_in_words(carried, _LABELS_NAMED)})" if carried else ""
    rows = counted(len(carried), "head row")
    return f"{rows} copied by label name{named}, {len(fresh)} re-initialised"

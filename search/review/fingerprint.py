"""The fingerprint of a task as it is today, and whether it is still that of a stored search.

Everything that a spec names is found and checked for it. Not for what is in a fingerprint
(`search/spec/spec.py`), nor for fingerprints of other tools (`search/tracking/foreign/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.catalog import describe_data
from models.networks.base_model import locate_base, require_tokenizer
from models.networks.own_code import locate_code
from search.spec import Spec
from search.spec.spec import MEASURED_ON
from search.tracking.summary import Summary


def refuse_changed(summary: Summary, fingerprint: Mapping[str, Any]) -> None:
    """Refuses to mix trials on other examples, or of another pretrained model, into a search."""
    for part, what in (("data", "data set"), ("base", "pretrained model")):
        before, now = summary.fingerprint.get(part) or {}, fingerprint.get(part) or {}
        if before.get("digest") != now.get("digest"):
            raise ValueError(
                f"the {what} of {summary.search} was {before.get('name')}@{before.get('digest')} "
                f"and is {now.get('name')}@{now.get('digest')} now; fix: restore it, or start a "
                "new search"
            )
    if summary.fingerprint.get(MEASURED_ON) != fingerprint.get(MEASURED_ON):
        raise ValueError(
            f"the trials of {summary.search} were measured on the whole validation split, and "
            "texts are measured on its objective part now; fix: start a new search"
        )


def fingerprint_of(spec: Spec, code: str | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fingerprint of a spec, and warnings about its data; all that it names is checked.

    Args:
        spec: The checked spec.
        code: The digest of the user's own code; None for that of today.

    Raises:
        ValueError: one of them is missing, damaged or of a kind that the model cannot use.
    """
    task = spec.task
    try:
        data = describe_data(task.data, task.data_kind()) if task.data else None
    except ValueError as error:
        if task.network is None or task.base is not None:
            raise
        raise ValueError(f"{error} (a network without task.base is for images)") from error
    base = locate_base(task.base) if task.base else None
    if base is not None and task.data_kind() != "images":
        require_tokenizer(base.folder)
    if code is None and task.code:
        code = locate_code(task.code).digest
    return spec.fingerprint(data, base, code or ""), data.warnings if data else ()

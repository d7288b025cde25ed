"""Copies the weights of an earlier trial to where a search starts from them, with their lineage.

Which trials a spec starts from is settled in `pin_weights.py`. A trial needs nothing of its source
but the file that is written here. Where its weights come from is also said in a sentence.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.networks.base_model import BaseModel, locate_base
from search.history.provenance import names_in_words
from search.spec import Spec
from search.tracking import tag_names
from search.tracking.store import open_client, tags_of
from search.tracking.summary import Summary
from search.transfer.pin_weights import check_fit
from search.transfer.sources import WeightSource, find_trial, initial_folder


def copy_weights(
    spec: Spec, tracking_uri: str, storage: Path, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Writes the weights that a pinned spec starts from into a search's storage.

    Returns:
        `SEARCH#TRIAL` -> "file" (its name in the folder `initial_weights`) and "lineage".

    Raises:
        LookupError: a trial or its checkpoint is gone.
        ValueError: what a trial was trained on overlaps with the validation or test split of this
            task, or cannot be compared any more.
    """
    is_new = not storage.exists()
    try:
        return {
            name: _copied(find_trial(tracking_uri, name), spec, storage, say)
            for name in spec.starting_points()
        }
    except (LookupError, OSError, ValueError):
        if is_new:
            shutil.rmtree(storage, ignore_errors=True)  # of those that were not refused
        raise


def missing_weights(summary: Summary) -> list[Path]:
    """Files of initial weights that a search was given and that are not in its storage now."""
    folder = initial_folder(summary.storage)
    files = [folder / str(each["file"]) for each in summary.initial_weights.values()]
    return [file for file in files if not file.exists()]


def _copied(
    source: WeightSource, spec: Spec, storage: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    from models.weights.initial import save_initial  # torch costs seconds
    from models.weights.rebuild import Trained, extract_weights

    check_fit(source, spec)
    source.check_data()
    base = locate_base(spec.task.base) if spec.task.base else None
    trained = Trained(
        source.name, source.spec.task.model, source.configuration, source.spec.task.data,
        source.checkpoints, base, source.initial,
    )  # fmt: skip
    ancestors = [each["settings"] for each in source.trained_on()[1:]]
    passed = extract_weights(trained, ancestors, spec.task.data)
    if passed.overlap.count:
        raise ValueError(_refusal(source, passed.overlap))
    lineage = _lineage(source, base, passed)
    file = save_initial(initial_folder(storage), replace(passed.weights, lineage=lineage))
    say(
        f"{source.name}: {lineage['tensors']} tensors, head rows of {_named(passed.rows.carried)} "
        f"carried, {len(passed.rows.fresh)} drawn afresh; none of {passed.overlap.compared} "
        f"training examples stands in this task's validation or test split"
    )
    return {"file": file.name, "lineage": lineage}


def _lineage(source: WeightSource, base: BaseModel | None, passed: Any) -> dict[str, Any]:
    has_head = bool(passed.weights.head)
    overlap = passed.overlap.record()
    return {
        "source": source.name,
        "source_run": source.trial.run_id,
        "source_task": source.trial.task,
        "ancestors": [*source.lineage.get("ancestors", ()), source.name],
        "base": f"{base.name}@{base.digest}" if base else None,
        "merged": passed.weights.is_merged,
        "tensors": len(passed.weights.tensors),
        "rows_carried": list(passed.rows.carried) if has_head else [],
        "rows_fresh": list(passed.rows.fresh) if has_head else [],
        "overlap": {key: overlap[key] for key in ("count", "known", "compared")},
        "trained_on": source.trained_on(),
    }


def _refusal(source: WeightSource, overlap: Any) -> str:
    shown = "".join(f"\n  {text}" for text in overlap.shown)
    return (
        f"initial_weights: {source.name} was trained on {len(overlap.validation)} examples of this "
        f"task's validation split and {len(overlap.test)} of its test split, and weights cannot "
        f"unlearn them. Choose another source, or train that search again without them"
        f"{' (task.data.without)' if overlap.shown else ''}.{shown}"
    )


def _named(labels: tuple[str, ...]) -> str:
    if not labels:
        return "no label"
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(labels[:5]) + more


_ROWS_NAMED = 5


def lineage_of(tracking_uri: str, run_id: str) -> str:
    """What the trial of a run started from, in a sentence or two; "" if from scratch."""
    tags = tags_of(open_client(tracking_uri), run_id)
    lineage = json.loads(tag_names.joined_tag(tag_names.LINEAGE, tags) or "{}")
    return lineage_in_words(lineage)


def lineage_in_words(lineage: Mapping[str, Any]) -> str:
    """What `copy_weights` wrote down of a start from weights, in words; "" if there is none."""
    if not lineage:
        return ""
    overlap, ancestors = lineage["overlap"], lineage["ancestors"]
    base = f" on the base {lineage['base']}" if lineage.get("base") else ""
    parts = [
        f"It starts from the weights of {lineage['source']} (run {lineage['source_run']}, task "
        f"{lineage['source_task']}){base}: {lineage['tensors']} tensors, {_rows(lineage)}.",
        f"Of the {overlap['compared']} examples those weights were trained on, "
        f"{overlap['count'] or 'none'} stands in the validation or test split here.",
    ]
    if len(ancestors) > 1:
        parts.append(f"Line of descent: {' > '.join(ancestors)}.")
    return " ".join(parts)


def _rows(lineage: Mapping[str, Any]) -> str:
    carried, fresh = list(lineage["rows_carried"]), list(lineage["rows_fresh"])
    if not carried and not fresh:
        return "the whole head with them"
    named = f" ({names_in_words(carried, _ROWS_NAMED)})" if carried else ""
    return f"{len(carried)} head rows by label name{named}, {len(fresh)} drawn afresh"

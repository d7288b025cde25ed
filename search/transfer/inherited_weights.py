"""Copies the weights of an earlier trial into the storage of a search, with their lineage.

Which trials a spec starts from is decided in `pin_weights.py`. A trial needs nothing of its source
but the file written here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.networks.base_model import BaseModel
from search.history.plurals import counted
from search.history.provenance import names_in_words
from search.spec import Spec
from search.spec.own_code import Allowed
from search.tracking.summary import Summary
from search.transfer.pin_weights import check_fit
from search.transfer.sources import WeightSource, find_trial, initial_folder

_LABELS_NAMED = 5


def copy_weights(
    spec: Spec, tracking_uri: str, storage: Path, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Writes the weights that a pinned spec starts from into a search's storage.

    Returns:
        `SEARCH#TRIAL` -> "file" (its name in the folder `initial_weights`) and "lineage".

    Raises:
        LookupError: a trial or its checkpoint is gone.
        ValueError: the training data of a trial overlap with the validation or test split of this
            task, or can no longer be compared with it.
    """
    is_new = not storage.exists()
    try:
        return {
            name: _copied(find_trial(tracking_uri, name), spec, storage, say)
            for name in spec.starting_points()
        }
    except (LookupError, OSError, ValueError):
        if is_new:
            shutil.rmtree(storage, ignore_errors=True)  # what was copied before the error
        raise


def missing_weights(summary: Summary) -> list[Path]:
    """Files of initial weights that a search starts from and that its storage no longer has."""
    folder = initial_folder(summary.storage)
    files = [folder / str(each["file"]) for each in summary.initial_weights.values()]
    return [file for file in files if not file.exists()]


def _copied(
    source: WeightSource, spec: Spec, storage: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    from models.weights.initial import save_initial  # torch costs seconds
    from models.weights.rebuild import extract_weights

    check_fit(source, spec)
    source.check_data()
    # The user's own spec names this code.
    trained = source.trained(spec.task.base, Allowed(spec.task.network))
    ancestors = [each["settings"] for each in source.trained_on()[1:]]
    found = extract_weights(trained, ancestors, spec.task.data)
    if found.overlap.count:
        shown = "".join(f"\n  {text}" for text in found.overlap.shown)
        raise ValueError(
            f"initial_weights: {source.name} was trained on "
            f"{counted(len(found.overlap.validation), 'example')} of this task's validation split "
            f"and {len(found.overlap.test)} of its test split, and weights cannot unlearn them; "
            f"fix: name another trial, or run its search again without them"
            f"{' (task.data.without)' if shown else ''}.{shown}"
        )
    lineage = _lineage(source, trained.base, found)
    file = save_initial(initial_folder(storage), replace(found.weights, lineage=lineage))
    labels = names_in_words(list(found.rows.carried), _LABELS_NAMED) or "no label"
    say(
        f"{source.name}: {counted(lineage['tensors'], 'tensor')}, head rows of {labels} copied, "
        f"{len(found.rows.fresh)} re-initialised; none of {found.overlap.compared} training "
        f"examples is in this task's validation or test split"
    )
    return {"file": file.name, "lineage": lineage}


def _lineage(source: WeightSource, base: BaseModel | None, found: Any) -> dict[str, Any]:
    has_head = bool(found.weights.head)
    overlap = found.overlap.record()
    return {
        "source": source.name,
        "source_run": source.trial.run_id,
        "source_task": source.trial.task,
        "ancestors": [*source.lineage.get("ancestors", ()), source.name],
        "base": f"{base.name}@{base.digest}" if base else None,
        "merged": found.weights.is_merged,
        "tensors": len(found.weights.tensors),
        "rows_carried": list(found.rows.carried) if has_head else [],
        "rows_initialized": list(found.rows.fresh) if has_head else [],
        "overlap": {key: overlap[key] for key in ("count", "known", "compared")},
        "trained_on": source.trained_on(),
    }

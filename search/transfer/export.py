"""Writes a trial's model into a folder that others can load, with its model card.

The files of the model are `models/weights/export.py`'s; here the trial is found and described.
"""

from __future__ import annotations

from pathlib import Path

from models.base_model import locate_base
from search.transfer.model_card import model_card
from search.transfer.sources import find_trial


def export_trial(tracking_uri: str, reference: str, folder: Path) -> str:
    """Exports the trial `SEARCH#TRIAL`, or of an MLflow run id; returns what to say about it.

    Raises:
        LookupError: there is no such trial, or its checkpoint is gone.
        ValueError: its data set or its base cannot be read, or has changed since.
        FileExistsError: the folder holds something.
    """
    from models.weights.export import export  # torch costs seconds
    from models.weights.trained import Trained

    source = find_trial(tracking_uri, reference)
    if not source.has_checkpoint:
        raise LookupError(
            f"no checkpoint of {source.name} is left in {source.checkpoints}: mount the folder, or "
            f"name another trial"
        )
    task = source.spec.task
    base = locate_base(task.base) if task.base else None
    known = source.fingerprint.get("base") or {}
    if base is not None and base.digest != known.get("digest"):
        raise ValueError(
            f"{source.name} adapted {known.get('name')}@{known.get('digest')}, but {task.base} is "
            f"{base.digest} now; put the base back"
        )
    trained = Trained(
        source.name, task.model, source.configuration, task.data, source.checkpoints, base,
        source.initial,
    )  # fmt: skip
    exported = export(trained, folder)
    card = model_card(source, exported.label_names, exported.how, source.summary.environment)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    return f"{source.name} is in {folder}: {files}"

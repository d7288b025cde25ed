"""Exports a trial's model into a folder that others can load, with a model card.

`models/weights/export.py` writes the model, `model_card.py` describes the trial; here the trial is
found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from search.spec.own_code import NOTHING, Allowed
from search.transfer.model_card import model_card
from search.transfer.sources import check_checkpoint, find_trial
from search.transfer.trivial_model import why_trivial

# As `models.weights.export.export` takes it, which needs torch.
Form = Literal["model", "adapter", "onnx"]


def export_trial(
    tracking_uri: str,
    reference: str,
    folder: Path,
    allowed: Allowed = NOTHING,
    form: Form = "model",
) -> str:
    """Exports the trial `SEARCH#TRIAL`, or of an MLflow run id; returns a message for the user.

    Args:
        tracking_uri: Where the trial is stored.
        reference: Names it.
        folder: A new or empty folder.
        allowed: What the user allows to run.
        form: "adapter" writes an adapter of PEFT, "onnx" `model.onnx` in addition to the weights.

    Raises:
        PermissionError: it has a network of the user's, whose code was not allowed or has changed.
        LookupError: there is no such trial, or its checkpoint is gone.
        ValueError: its data set or its base cannot be read, or has changed since; or its model has
            no such form.
        FileExistsError: the folder is not empty.
    """
    from models.weights.export import export  # torch costs seconds

    source = find_trial(tracking_uri, reference)
    check_checkpoint(source)
    trained = source.trained(source.spec.task.base, allowed)
    known = source.fingerprint.get("base") or {}
    if trained.base is not None and trained.base.digest != known.get("digest"):
        raise ValueError(
            f"{source.name} adapted {known.get('name')}@{known.get('digest')}, but "
            f"{source.spec.task.base} is {trained.base.digest} now; fix: restore the base"
        )
    exported = export(trained, folder, form)
    data = source.fingerprint["data"]
    sizes = {split: int(data[split]) for split in ("validation", "test")}
    warning = why_trivial(source.trial, exported.trivial, sizes)
    card = model_card(source, exported, source.summary.environment, warning)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    message = f"exported {source.name} to {folder}: {files}"
    if exported.onnx:
        message += f"\n{exported.onnx[0]}"
    if warning:
        message += (
            f"\nwarning: this model has learned nothing: {warning}; fix: export another trial"
        )
    return message

"""Whether a spec's pretrained model is there, and whether its methods can adapt it.

For the forms of `base:` and for the choices of `adaptation` against task and architecture, before
anything is loaded. Not for what a model folder must hold (`models/base_model.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.adaptation.support import supported
from models.base_model import locate_base
from models.catalog import MODELS, Value, data_kind, needs_base
from search.spec.conditions import Parts
from search.spec.errors import Document, KeyPath
from search.spec.parts import Task
from search.spec.sizes import check_lengths, check_ranks

BASE_FORMS = ("a model folder", "hub:NAME", "hub:NAME@REVISION", "package:MODULE")
_PATH: KeyPath = ("task", "base")


def check_base(
    document: Document, task: Mapping[str, Any], folder: Path, must_exist: bool
) -> str | None:
    """Where the pretrained model is, a folder made absolute; None without a right one."""
    base, model = task.get("base"), task.get("model")
    wants = isinstance(model, str) and model in MODELS and needs_base(model)
    if base is None:
        if wants:
            message = f"is missing: model {model} starts from a pretrained one"
            document.add(_PATH, message, allowed=BASE_FORMS)
        return None
    if not isinstance(base, str) or not base.strip():
        document.add(_PATH, "must be text", base, BASE_FORMS)
        return None
    if not wants:
        if isinstance(model, str) and (model in MODELS or model.startswith("python:")):
            document.add(_PATH, f"model {model} starts from no pretrained one; remove it", base)
        return None
    kind, colon, name = base.partition(":")
    if colon and kind in ("hub", "package"):
        reference = base
        if not name:
            document.add(_PATH, f"names nothing after {kind}:", base, BASE_FORMS)
            return None
    else:
        reference = str((folder / Path(base).expanduser()).resolve())
    return reference if not must_exist or _is_found(document, reference, base) else None


def _is_found(document: Document, reference: str, written: str) -> bool:
    try:
        locate_base(reference)
    except ValueError as error:
        document.add(_PATH, str(error), written)
        return False
    return True


def check_adaptation(
    document: Document,
    task: Task | None,
    settings: Mapping[str, Value],
    space: Parts,
    must_exist: bool,
) -> None:
    """Note every method and length of text that the pretrained model cannot take."""
    if task is None or task.base is None or not must_exist:
        return
    base, kind = locate_base(task.base), data_kind(task.model)
    methods = _methods(task.model, settings, space)
    for path, method in methods.items():
        reason = supported(method, base.model_type, kind)
        if reason:
            document.add(path, reason, method)
    check_lengths(document, base, task.model, set(methods.values()), settings, space)
    if "adalora" in methods.values():
        check_ranks(document, task.model, settings, space)
    checkpointing = settings.get("gradient_checkpointing", "gradient_checkpointing" in space)
    if checkpointing and "prefix" in methods.values():
        message = "prefix tuning keeps keys and values in a cache that this cannot recompute"
        is_fixed = "gradient_checkpointing" in settings
        where = ("task", "settings") if is_fixed else ("space",)
        document.add((*where, "gradient_checkpointing"), f"{message}; leave out one of the two")


def _methods(model: str, settings: Mapping[str, Value], space: Parts) -> dict[KeyPath, str]:
    """Every method that trials may take, and where the spec says so."""
    if "adaptation" in space:
        choices = space["adaptation"].choices or ()
        where: KeyPath = ("space", "adaptation", "choices")
        return {(*where, index): str(method) for index, method in enumerate(choices)}
    default = MODELS[model]["adaptation"].default
    return {("task", "settings", "adaptation"): str(settings.get("adaptation", default))}

"""Checks that a spec's task exists: its data set and its model.

Reads the forms of `data` and `model`; those of `base` are in `base_model.py`. Imports and downloads
nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.catalog import MODELS, NETWORKS, data_kind
from models.data.settings import IMAGES_ONLY, SOURCES, TEXTS_ONLY
from models.kinds import KINDS
from models.networks.own_code import PREFIX, SESSION, locate_code, parts_of
from search.spec.base_model import check_base
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath, nearest_name
from search.spec.sections import Data, Task

_NAMED = tuple(name for name in MODELS if name not in NETWORKS)
# What a task trains: one of the three keys.
TRAINED = ("model", "network", "train")
_DATA: KeyPath = ("task", "data")


def check_task(document: Document, folder: Path, must_exist: bool) -> Task | None:
    """Return the task with its data settings normalised; None if anything in it is wrong."""
    raw = document.data.get("task")
    if not isinstance(raw, dict):
        return read_part(document, ("task",), Task, raw)
    before = len(document.problems)
    data = _check_data(document, folder, must_exist)
    _check_trained(document, must_exist)
    base = check_base(document, folder, must_exist)
    task = read_part(document, ("task",), Task, {**raw, "data": data, "base": base})
    if task is None or len(document.problems) > before:
        return None
    trained = task.trains.removeprefix(PREFIX).replace(":", ".").rpartition(".")
    # A module says more than the name of its builder, which is often `build`.
    module = trained[0].rpartition(".")[2]
    what = module if task.network and module != SESSION else trained[2]
    default = "-".join(part for part in (_data_name(data), what) if part)
    return task.model_copy(update={"name": task.name or default})


def _data_name(data: Mapping[str, Any]) -> str:
    if "targets" in data:
        return "-".join(re.sub(r"\W+", "_", each).strip("_") for each in sorted(data["targets"]))
    return Path(data.get("name") or data.get("path") or data.get("hub") or "").name


def _check_data(document: Document, folder: Path, must_exist: bool) -> dict[str, Any]:
    """Return the settings of the data set with absolute folders; empty without a legal one."""
    raw, kind = document.task.get("data"), None
    if document.known is not None:
        kind = data_kind(document.model)
    kinds = KINDS if kind is None else (kind,)
    embedded = tuple(name for each in kinds for name in KINDS[each].embedded)
    forms = (*embedded, "a file or folder", "hub:NAME")
    if raw is None or raw == {}:
        if not document.is_function:
            document.add(_DATA, "is missing", allowed=forms)
        return {}
    if isinstance(raw, str):
        source = _source_of(raw, folder, embedded)
        if source is None:
            document.add(_DATA, "unknown data set", raw, forms)
            return {}
        raw = {source: raw.removeprefix("hub:") if source == "hub" else raw}
    data = read_part(document, _DATA, Data, raw)
    if data is None:
        return {}
    settings = data.model_dump(exclude_none=True)
    given = [key for key in SOURCES if key in settings]
    if len(given) != 1:
        message = f"names {len(given)} sources ({', '.join(given)}); name one"
        document.add(_DATA, message, allowed=SOURCES)
    if kind and settings.get("kind", kind) != kind:
        message = f"this model is trained on {kind}; remove it"
        document.add((*_DATA, "kind"), message, settings["kind"])
    for key in (TEXTS_ONLY if kind == "images" else IMAGES_ONLY) if kind else ():
        if key in settings:
            document.add((*_DATA, key), f"means nothing for data of kind {kind}; remove it")
    if "name" in settings and settings["name"] not in embedded:
        document.add((*_DATA, "name"), "no embedded data set", settings["name"], embedded)
    if "path" in settings:
        settings["path"] = _found(document, _DATA, folder, settings["path"], must_exist)
    for key, texts in settings.get("targets", {}).items():
        path = (*_DATA, "targets", key)
        settings["targets"][key] = _found(document, path, folder, texts, must_exist)
    for index, texts in enumerate(settings.get("without", ())):
        path = (*_DATA, "without", index)
        settings["without"][index] = _found(document, path, folder, texts, must_exist)
    return settings


def _found(document: Document, path: KeyPath, folder: Path, written: str, must_exist: bool) -> str:
    """Return a file or folder as an absolute path; note that it is missing if it must exist."""
    source = (folder / os.path.expanduser(written)).resolve()
    if must_exist and not source.exists():
        close = nearest_name(source.name, [each.name for each in source.parent.glob("*")])
        near = f". Did you mean `{close}`?" if close else ""
        document.add(path, f"there is no file or folder {source}{near}", written)
    return str(source)


def _source_of(text: str, folder: Path, embedded: tuple[str, ...]) -> str | None:
    """Return the key of `data` that a data set's short form stands for; None if unknown."""
    if text in embedded:
        return "name"
    if text.startswith("hub:"):
        return "hub"
    is_path = any(mark in text for mark in "/\\") or text.startswith((".", "~"))
    return "path" if is_path or (folder / text).exists() else None


def _check_trained(document: Document, must_exist: bool) -> None:
    """Check that the task names one thing to train, and that it exists."""
    given = [key for key in TRAINED if key in document.task]
    if len(given) != 1:
        message = f"names {' and '.join(given)}; keep one" if given else "names nothing to train"
        document.add(("task",), message, allowed=TRAINED)
        return
    (key,) = given
    path: KeyPath = ("task", key)
    value = document.task[key]
    if value is None:
        document.add(path, "is empty; it names what to train")
    if not isinstance(value, str):
        return  # noted with the section
    if key == "model":
        if value.startswith(PREFIX):
            message = (
                "is no model of the catalog; write `network:` for a function that builds a "
                "network, `train:` for one that trains"
            )
            document.add(path, message, value)
        elif value not in _NAMED:
            document.add(path, "unknown model; `network:` names one of your own", value, _NAMED)
        return
    try:
        module, _ = parts_of(value)
        if must_exist and module != SESSION:  # that one is passed, not found
            locate_code(value)
    except ValueError as error:
        document.add(path, str(error), value if f"{value!r}" not in str(error) else None)

"""Whether a spec's task can be found: its data set and its model.

For the forms of `data:` and `model:`; those of `base:` are in `base_model.py`. Not for loading
either; nothing is imported or downloaded.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from models.catalog import MODELS, data_kind
from search.spec.base_model import check_base
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath
from search.spec.parts import Data, Task

EMBEDDED_DATA = {"images": ("digits",), "dialogue": ("dialogue",)}
SOURCES = ("name", "parquet", "hub", "targets")
# Keys of `data:` that mean nothing to the other models.
_IMAGES_ONLY, _TEXTS_ONLY = ("image_size",), ("targets", "deduplicate", "without")
MODEL_FORMS = (*MODELS, "python:package.module:function")


def check_task(document: Document, folder: Path, must_exist: bool) -> Task | None:
    """The task with its data settings normalised; None if anything in it is wrong."""
    raw = document.data.get("task")
    path: KeyPath = ("task",)
    if not isinstance(raw, dict):
        return read_part(document, path, Task, raw)
    before = len(document.problems)
    data = _check_data(document, raw, folder, must_exist)
    model = raw.get("model")
    if isinstance(model, str):
        _check_model(document, model)
    base = check_base(document, raw, folder, must_exist)
    task = read_part(document, path, Task, {**raw, "data": data, "base": base})
    if task is None or len(document.problems) > before:
        return None
    name = task.name or "-".join(part for part in (_data_name(data), _model_name(task)) if part)
    return task.model_copy(update={"name": name})


def _data_name(data: Mapping[str, Any]) -> str:
    if "targets" in data:
        return "-".join(
            re.sub(r"\W+", "_", target).strip("_") for target in sorted(data["targets"])
        )
    source = str(data.get("name") or data.get("parquet") or data.get("hub") or "")
    return Path(source).name


def _model_name(task: Task) -> str:
    return task.model.rpartition(":")[2].replace(".", "_") if task.is_function else task.model


def _check_data(
    document: Document, task: dict[str, Any], folder: Path, must_exist: bool
) -> dict[str, Any]:
    raw, path, kind = task.get("data"), ("task", "data"), _kind(task)
    if raw is None or raw == {}:
        if not str(task.get("model", "")).startswith("python:"):
            document.add(path, "is missing", allowed=_data_forms(kind))
        return {}
    if isinstance(raw, str):
        raw = _read_data(document, raw, folder, kind)
    data = read_part(document, path, Data, raw) if raw is not None else None
    if data is None:
        return {}
    settings = data.model_dump(exclude_none=True)
    settings |= {"without": list(data.without)} if data.without is not None else {}
    given = [key for key in SOURCES if key in settings]
    if len(given) != 1:
        message = f"names {len(given)} sources ({', '.join(given)}); name one"
        document.add(path, message, allowed=SOURCES)
    for key in (_TEXTS_ONLY if kind == "images" else _IMAGES_ONLY) if kind else ():
        if key in settings:
            document.add((*path, key), f"means nothing for data of kind {kind}; remove it")
    if data.name is not None and data.name not in _embedded(kind):
        document.add((*path, "name"), "no embedded data set", data.name, _embedded(kind))
    for below, written in _folders(data).items():
        source = (folder / Path(written).expanduser()).resolve()
        if must_exist and not source.is_dir():
            document.add((*path, *below), f"there is no folder {source}", written)
        if below:
            settings[str(below[0])][below[-1]] = str(source)
        else:
            settings["parquet"] = str(source)
    return settings


def _folders(data: Data) -> dict[KeyPath, str]:
    """Where below `data` a folder is written, and which."""
    folders: dict[KeyPath, str] = {("targets", k): v for k, v in (data.targets or {}).items()}
    folders |= {("without", index): each for index, each in enumerate(data.without or ())}
    return folders | ({(): data.parquet} if data.parquet is not None else {})


def _kind(task: Mapping[str, Any]) -> str | None:
    """Kind of data the model of a task wants; None for a training function or an unknown model."""
    model = task.get("model")
    return data_kind(model) if isinstance(model, str) and model in MODELS else None


def _embedded(kind: str | None) -> tuple[str, ...]:
    if kind is not None:
        return EMBEDDED_DATA.get(kind, ())
    return tuple(name for names in EMBEDDED_DATA.values() for name in names)


def _data_forms(kind: str | None) -> tuple[str, ...]:
    return (*_embedded(kind), "a folder of parquet files", "hub:NAME")


def _read_data(
    document: Document, text: str, folder: Path, kind: str | None
) -> dict[str, Any] | None:
    """The mapping that a data set's short form stands for."""
    if text in _embedded(kind):
        return {"name": text}
    if text.startswith("hub:"):
        return {"hub": text.removeprefix("hub:")}
    is_path = any(mark in text for mark in "/\\") or text.startswith((".", "~"))
    if is_path or (folder / text).is_dir():
        return {"parquet": text}
    document.add(("task", "data"), "unknown data set", text, _data_forms(kind))
    return None


def _check_model(document: Document, model: str) -> None:
    path = ("task", "model")
    if not model.startswith("python:"):
        if model not in MODELS:
            document.add(path, "unknown model", model, MODEL_FORMS)
        return
    module, _, function = model.removeprefix("python:").partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        document.add(path, "is not of the form python:package.module:function", model)
    elif not _is_module(module):
        message = f"there is no module {module} here; run from the folder that holds it"
        document.add(path, message, model)


def _is_module(name: str) -> bool:
    """Whether a module can be found, without running any of its packages."""
    path: list[str] | None = [os.getcwd(), *sys.path]
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        found = PathFinder.find_spec(".".join(parts[:end]), path)
        if found is None:
            return False
        path = list(found.submodule_search_locations or [])
    return True

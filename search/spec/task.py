"""Whether a spec's task can be found: its data set and its model.

For the forms of `data:` and `model:`. Not for loading either; nothing is imported or downloaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from models.catalog import MODELS
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath
from search.spec.parts import Data, Task

EMBEDDED_DATA = ("digits",)
DATA_FORMS = (*EMBEDDED_DATA, "a folder of parquet files", "hub:NAME")
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
    task = read_part(document, path, Task, {**raw, "data": data})
    if task is None or len(document.problems) > before:
        return None
    name = task.name or "-".join(part for part in (_data_name(data), _model_name(task)) if part)
    return task.model_copy(update={"name": name})


def _data_name(data: Mapping[str, Any]) -> str:
    source = str(data.get("name") or data.get("parquet") or data.get("hub") or "")
    return Path(source).name


def _model_name(task: Task) -> str:
    return task.model.rpartition(":")[2].replace(".", "_") if task.is_function else task.model


def _check_data(
    document: Document, task: dict[str, Any], folder: Path, must_exist: bool
) -> dict[str, Any]:
    raw, path = task.get("data"), ("task", "data")
    if raw is None or raw == {}:
        if not str(task.get("model", "")).startswith("python:"):
            document.add(path, "is missing", allowed=DATA_FORMS)
        return {}
    if isinstance(raw, str):
        raw = _read_data(document, raw, folder)
    data = read_part(document, path, Data, raw) if raw is not None else None
    if data is None:
        return {}
    settings = data.model_dump(exclude_none=True)
    given = [key for key in ("name", "parquet", "hub") if key in settings]
    if len(given) != 1:
        message = f"names {len(given)} sources ({', '.join(given)}); name one"
        document.add(path, message, allowed=("name", "parquet", "hub"))
    if data.name is not None and data.name not in EMBEDDED_DATA:
        document.add((*path, "name"), "no embedded data set", data.name, EMBEDDED_DATA)
    if data.parquet is not None:
        source = (folder / Path(data.parquet).expanduser()).resolve()
        settings["parquet"] = str(source)
        if must_exist and not source.is_dir():
            document.add(path, f"there is no folder {source}", data.parquet)
    return settings


def _read_data(document: Document, text: str, folder: Path) -> dict[str, Any] | None:
    """The mapping that a data set's short form stands for."""
    if text in EMBEDDED_DATA:
        return {"name": text}
    if text.startswith("hub:"):
        return {"hub": text.removeprefix("hub:")}
    is_path = any(mark in text for mark in "/\\") or text.startswith((".", "~"))
    if is_path or (folder / text).is_dir():
        return {"parquet": text}
    document.add(("task", "data"), "unknown data set", text, DATA_FORMS)
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

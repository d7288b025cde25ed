"""The kind of data in a source, guessed from files and columns where nobody has said it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.data.settings import IMAGES_ONLY, TEXTS_ONLY, DataSettings

_TAGGED = {"tokens", "words", "tags", "ner_tags"}
_SPOKEN = {"messages", "conversations", "prompt", "answer"}


def guess_kind(settings: Mapping[str, Any]) -> str:
    """Return "images", "classification", "entities" or "dialogue", for the keys of `task.data`.

    A ranking is never guessed: it looks like a classification.

    Raises:
        DataError: the source cannot be opened.
    """
    if settings.get("kind") is not None:
        return str(settings["kind"])
    name = settings.get("name")
    if name is not None:
        return "dialogue" if name == "dialogue" else "images"
    if settings.get("targets") is not None:
        return "classification"
    if any(key in settings for key in IMAGES_ONLY):
        return "images"
    path = settings.get("path")
    if path is not None and (found := _kind_of_files(Path(path))):
        return found
    from models.data.image_tables import holds_pictures
    from models.data.tables import open_tables

    rows = open_tables(DataSettings(
        path=path, hub=settings.get("hub"), subset=settings.get("subset")
    )).rows  # fmt: skip
    features = next(iter(rows.values())).features
    if holds_pictures(features) and not any(key in settings for key in TEXTS_ONLY):
        return "images"
    if any(_holds_messages(each) for each in features.values()):
        return "dialogue"
    for kind, columns in (("entities", _TAGGED), ("dialogue", _SPOKEN)):
        if columns & features.keys():
            return kind
    return "classification"


def _holds_messages(feature: Any) -> bool:
    """Return whether a column has lists of `{role, content}`, whatever its name."""
    element = getattr(feature, "feature", None)
    return isinstance(element, Mapping) and {"role", "content"} <= element.keys()


def _kind_of_files(path: Path) -> str:
    """Return the kind of files that are no tables; "" for tables."""
    from models.data.picture_folders import picture_folder
    from models.data.text.conll import is_conll

    if path.suffix.lower() == ".npz":
        return "images"
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else []
    if files and picture_folder(path, files):
        return "images"
    return "entities" if is_conll(path) else ""

"""The kind of data in a source, guessed from its columns, for those who have not said it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.data.settings import IMAGES_ONLY, TEXTS_ONLY, DataSettings

_TAGGED = {"tokens", "words", "tags", "ner_tags"}
_SPOKEN = {"messages", "conversations", "prompt", "answer"}
# Files of words and tags in columns, and of arrays.
_ENDINGS = {".conll": "entities", ".iob": "entities", ".bio": "entities", ".npz": "images"}


def guess_kind(settings: Mapping[str, Any]) -> str:
    """Return "images", "classification", "entities" or "dialogue", for the keys of `task.data`.

    Raises:
        DataError: the source cannot be opened.
    """
    name = settings.get("name")
    if name is not None:
        return "dialogue" if name == "dialogue" else "images"
    if settings.get("targets") is not None:
        return "classification"
    path = settings.get("path")
    endings = set()
    if path is not None:
        endings = {file.suffix.lower() for file in (Path(path), *Path(path).glob("*"))}
    for ending in endings & _ENDINGS.keys():
        return _ENDINGS[ending]
    if any(key in settings for key in IMAGES_ONLY):
        return "images"
    from models.data.image_tables import holds_pictures
    from models.data.tables import open_tables

    rows = open_tables(DataSettings(
        path=path, hub=settings.get("hub"), subset=settings.get("subset")
    )).rows  # fmt: skip
    features = next(iter(rows.values())).features
    if holds_pictures(features) and not any(key in settings for key in TEXTS_ONLY):
        return "images"
    for kind, columns in (("entities", _TAGGED), ("dialogue", _SPOKEN)):
        if columns & features.keys():
            return kind
    return "classification"

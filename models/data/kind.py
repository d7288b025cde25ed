"""The kind of data in a source, guessed from files and columns where nobody has said it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.data.settings import IMAGES_ONLY, TEXTS_ONLY, DataSettings, read_settings
from models.data.sources import DataError
from models.kinds import KINDS

_TAGGED = {"tokens", "words", "tags", "ner_tags"}
_SPOKEN = {"messages", "conversations", "prompt", "answer"}


def guess_kind(settings: Mapping[str, Any]) -> str:
    """Return "images", "classification", "entities" or "dialogue", for the keys of `task.data`.

    A ranking is never guessed: it looks like a classification.

    Raises:
        DataError: there is no such kind; as `read_settings`; or the source cannot be opened.
    """
    given = settings.get("kind")
    if given is not None:
        if given not in list(KINDS):
            raise DataError(f"kind is {given!r}; fix: choose one of {', '.join(KINDS)}")
        return str(given)
    name = settings.get("name")
    if name is not None:
        return "dialogue" if name == "dialogue" else "images"
    if settings.get("targets") is not None:
        return "classification"
    if any(key in settings for key in IMAGES_ONLY):
        return "images"
    of_texts = any(key in settings for key in TEXTS_ONLY)
    checked = read_settings(settings, "classification" if of_texts else "images")
    if checked.path is not None and (found := _kind_of_files(Path(checked.path))):
        return found
    from models.data.image_tables import holds_pictures
    from models.data.tables import open_tables

    source = DataSettings(path=checked.path, hub=checked.hub, subset=checked.subset)
    features = next(iter(open_tables(source).rows.values())).features
    if holds_pictures(features) and not of_texts:
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

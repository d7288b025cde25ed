"""Tables of examples, one a split, parsed by the package `datasets`.

From files of this machine (a folder of pictures, one with `metadata.csv`, parquet, CSV, TSV, JSON
lines) and from the Hugging Face hub. Pictures are not decoded here. What `datasets` builds lies in
our cache folder, keyed by the files' times and sizes; it needs no network for files, and never
runs code of a data set.
"""

from __future__ import annotations

import difflib
import functools
import glob
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from models.data.picture_folders import PictureFolder, picture_folder
from models.data.settings import DataSettings
from models.data.sources import DataError, line_not_utf8

CACHE = Path(platformdirs.user_cache_dir("twentieth")) / "data"
# A hub that does not answer within this time is away.
HUB_SECONDS = 10.0
# No tables: a folder of CSV files may have a README in addition.
_NOTES = {"", ".md", ".txt", ".pdf"}
_LINES = {".csv", ".tsv", ".jsonl", ".json"}
FORMATS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".json": "json"}


@dataclass(frozen=True)
class Tables:
    """The splits of a source as it names them; rows are `datasets.Dataset`, in the source's order.

    `place` names the source in messages, `licence` is "" if it states none. `warnings` say what was
    not read, each with its fix.
    """

    name: str
    place: str
    rows: Mapping[str, Any]
    licence: str = ""
    warnings: tuple[str, ...] = ()


def open_tables(settings: DataSettings) -> Tables:
    """Open the file, the folder or the data set of the hub that `settings` name.

    Raises:
        DataError: it does not exist, is empty or damaged, or is of no format that is read.
    """
    if settings.hub is not None:
        return _open_hub(settings.hub, settings.subset)
    assert settings.path is not None, "embedded data are no tables"
    path = Path(settings.path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; fix: {_instead_of(path)}")
    return _open_path(path, stamp_of(path))


def _instead_of(path: Path) -> str:
    """Return what to do about a path that leads nowhere."""
    near = sorted(each.name for each in path.parent.glob("*")) if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, near, n=1)
    return f"correct the path; did you mean {close[0]!r}?" if close else "correct the path"


def stamp_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of change of every file, the key of what was read.

    Raises:
        DataError: a link leads to a folder, which `datasets` does not follow, or to nothing.
    """
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [each for each in inside if each.is_file()]
    for each in sorted(set(inside).difference(files)):
        if each.is_symlink():
            raise DataError(f"{each}: a link to a folder, or to nothing, is not followed; fix: "
                            "link each file, or put the folder itself there")  # fmt: skip
    stats = ((str(file), file.stat()) for file in files)
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in stats)


@functools.lru_cache(maxsize=4)
def _open_path(path: Path, stamp: tuple[tuple[str, int, int], ...]) -> Tables:
    """Open a file or folder; `stamp` is part of the cache's key."""
    empty = [name for name, size, _ in stamp if not size and not Path(name).name.startswith(".")]
    if empty or not stamp:
        if not empty:
            raise DataError(f"{path}: an empty folder; fix: put the data there, pictures in a "
                            "folder a class, or tables")  # fmt: skip
        raise DataError(f"{empty[0]}: an empty file; fix: write it again, or remove it")
    if "::" in str(path.resolve()):
        raise DataError(f"{path}: `datasets` reads no path with '::'; fix: rename the folder")
    endings = {Path(name).suffix.lower() for name, _, _ in stamp}
    arguments: dict[str, Any] = {"path": str(path)}
    if path.is_file():
        (ending,) = endings
        if ending not in FORMATS:
            raise DataError(f"{path}: no format that is read here; fix: give one of "
                            f"{', '.join(FORMATS)}, .npz, .conll, or a folder")  # fmt: skip
        arguments = {"path": FORMATS[ending], "data_files": glob.escape(str(path))}
        arguments |= {"sep": "\t"} if ending == ".tsv" else {}
    elif pictures := picture_folder(path, [Path(name) for name, _, _ in stamp]):
        return _open_pictures(path, pictures)
    elif not endings & FORMATS.keys():
        raise DataError(f"{path}: neither pictures nor tables ({', '.join(sorted(endings))}); fix: "
                        "give a folder with one of them")  # fmt: skip
    elif glob.has_magic(str(path.resolve())):
        raise DataError(f"{path}: `datasets` reads *, ? and [ in the name of a folder as a pattern "
                        "of other folders; fix: rename it, or name one file in it")  # fmt: skip
    if endings & {".csv", ".tsv"} and endings - _NOTES <= {".csv", ".tsv"}:
        arguments["keep_default_na"] = False  # "None" and "NA" are texts and labels, too
    return Tables(path.stem if path.is_file() else path.resolve().name, str(path),
                  _load(arguments, str(path), "write it again"))  # fmt: skip


def _open_pictures(path: Path, pictures: PictureFolder) -> Tables:
    # Neutral names, because `datasets` does not take every name of a folder for a split.
    names = {f"part{number}": split for number, split in enumerate(pictures.patterns)}
    arguments: dict[str, Any] = {"path": "imagefolder"}
    arguments["data_files"] = {part: pictures.patterns[split] for part, split in names.items()}
    if not pictures.has_metadata:
        arguments["drop_labels"] = False  # else a single class is none
    rows = _load(arguments, str(path), "correct metadata.csv, or write the file again")
    unlisted = pictures.pictures - sum(map(len, rows.values()))
    warnings = pictures.warnings
    if unlisted:
        warnings += (f"{path}: pictures that no metadata list and that are not read: {unlisted}; "
                     "fix: list or remove them",)  # fmt: skip
    found = {split: rows[part] for part, split in names.items()}
    return Tables(path.resolve().name, str(path), found, warnings=warnings)


@functools.lru_cache(maxsize=2)
def _open_hub(name: str, subset: str | None) -> Tables:
    name, _, revision = name.partition("@")
    arguments = {"path": name, "name": subset, "revision": revision or None}
    place = f"hub {name!r}"
    if _answers(name):
        rows = _load(arguments, place, "check the name and the network, or give a path")
    else:
        rows = _load_kept(arguments, place)
    licence = getattr(getattr(next(iter(rows.values())), "info", None), "license", None)
    return Tables(name, place, rows, str(licence or ""))


def _answers(name: str) -> bool:
    """Whether the hub answers, in one short try: `datasets` asks six times, in 23 s and more."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().dataset_info(name, timeout=HUB_SECONDS)
    except HfHubHTTPError:
        return True  # what it has against the name, `datasets` says
    except Exception:  # of the client's own HTTP library, or its offline mode
        return False
    return True


def _load_kept(arguments: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Load a data set that the cache has, without asking the hub."""
    import datasets
    import huggingface_hub.constants

    before = huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        return _load(arguments, place, "")
    except DataError as error:
        raise DataError(
            f"{place}: the hub does not answer, and the cache has no copy; fix: check the network, "
            "or give a path"
        ) from error
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def _load(arguments: Mapping[str, Any], place: str, fix: str) -> dict[str, Any]:
    # Imported here: it takes over a second, and embedded data do not need it.
    import datasets

    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=CACHE).close()
    except OSError as error:
        raise DataError(f"{CACHE}: the cache of data cannot be written ({error.strerror}); fix: "
                        "set XDG_CACHE_HOME to a folder of yours") from error  # fmt: skip
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)  # what fails is raised as well
    try:
        rows = dict(datasets.load_dataset(**arguments, cache_dir=str(CACHE)))
        for each in rows.values():
            each.data.validate(full=True)  # JSON lines and parquet are read without a look at bytes
        return rows
    # `datasets` and the hub's client raise errors of five packages; the cause says which file.
    except Exception as error:
        cause = error.__cause__ or error
        reason = " ".join(str(cause).split()) or type(cause).__name__
        if found := any(words in reason for words in _NOT_UTF8) and _not_utf8(Path(place)):
            raise DataError(found) from error
        fix = next((better for words, better in _FIXES.items() if words in reason), fix)
        raise DataError(f"{place}: cannot be read ({reason}); fix: {fix}") from error


# Said of bytes by Python and by Arrow.
_NOT_UTF8 = ("codec can't decode", "Invalid UTF8")


def _not_utf8(path: Path) -> str:
    """Say which line of a file, or of one in a folder, is no UTF-8 text; "" if none is known."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file() and file.suffix.lower() in _LINES and (found := line_not_utf8(file)):
            return found
    return ""


# What to do about the errors of `datasets` that say it only in other words.
_FIXES = {
    **dict.fromkeys(_NOT_UTF8, "save it as UTF-8"),
    "load_from_disk": "load it by that, and write each split by its to_parquet into one folder",
    "corresponds to no data": "give at least one example: it has no rows",
    "same data file format": "give all splits in one format",
    "must have the same columns": "give all files the same columns",
    "column names don't match": "give all files the same columns",
    "EOF inside string": "close the quotation mark, or double a quotation mark inside a text",
    "Error tokenizing data": "put a text that contains the separator into quotation marks",
}

"""Folders of pictures: CLASS/picture, SPLIT/CLASS/picture, or pictures with `metadata.csv`.

Says which folders are splits, before `datasets` reads them: it goes by words in the names of files,
so that a class "train" or a picture "test-1.png" would become a split.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.data.sources import DataError
from models.data.splitting import NAMES

# Endings that Pillow and `datasets` both read as pictures.
_PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm",
             ".pgm", ".pbm", ".pnm", ".tga", ".jp2")  # fmt: skip
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_JUNK = ("Thumbs.db", "desktop.ini")
_SPLITS = {name for names in NAMES.values() for name in names}
_FORMS = "CLASS/picture.png, SPLIT/CLASS/picture.png, or metadata.csv with the column file_name"


@dataclass(frozen=True)
class PictureFolder:
    """What is read as pictures: patterns of files for each split, and what is left out.

    `pictures` counts them. With `has_metadata` only those are read that the metadata list.
    """

    patterns: Mapping[str, list[str]]
    pictures: int
    has_metadata: bool
    warnings: tuple[str, ...]


def picture_folder(root: Path, files: Sequence[Path]) -> PictureFolder | None:
    """Return the splits of a folder of pictures; None for a folder of tables.

    Args:
        root: the folder.
        files: all files in it, at any depth.

    Raises:
        DataError: a split or class without pictures, pictures without a class, or folders nested
            otherwise.
    """
    inside = [file.relative_to(root) for file in files]
    inside = [
        file for file in inside
        if file.name not in _JUNK and not any(map(_is_hidden, file.parts))
    ]  # fmt: skip
    pictures = [file for file in inside if file.suffix.lower() in _PICTURES]
    metadata = [file for file in inside if file.name in _METADATA]
    others = [file for file in inside if file not in {*pictures, *metadata}]
    if not pictures or any(file.suffix.lower() == ".parquet" for file in others):
        return None
    if metadata:
        splits = _splits_with_metadata(root, metadata, pictures)
    else:
        splits = _splits_of_classes(root, pictures)
    return PictureFolder(
        {split or "train": _patterns(root, split, [*pictures, *metadata]) for split in splits},
        len(pictures),
        bool(metadata),
        tuple(_left_out(root, others)),
    )


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))  # what `datasets` does not read either


def _splits_with_metadata(
    root: Path, metadata: Sequence[Path], pictures: Sequence[Path]
) -> list[str]:
    depths = {len(file.parts) for file in metadata}
    if depths == {1}:
        return [""]
    splits = {file.parts[0] for file in metadata}
    if depths != {2}:
        raise DataError(f"{root}: metadata are in {sorted(map(str, metadata))[:3]}; fix: keep one "
                        "file in this folder, or one in the folder of each split")  # fmt: skip
    for picture in pictures:
        if picture.parts[0] not in splits:
            raise DataError(f"{root / picture}: no metadata list this picture; fix: write a "
                            "metadata.csv into its split, or remove it")  # fmt: skip
    return sorted(splits)


def _splits_of_classes(root: Path, pictures: Sequence[Path]) -> list[str]:
    by_depth = {len(file.parts): file for file in reversed(pictures)}
    folders = [each for each in root.iterdir() if each.is_dir() and not _is_hidden(each.name)]
    names = {folder.name for folder in folders}
    if 1 in by_depth or (set(by_depth) == {2} and names <= _SPLITS):
        place = root / by_depth[min(by_depth)]
        raise DataError(f"{place}: a picture without a class; fix: arrange pictures as {_FORMS} "
                        "and name its label_column")  # fmt: skip
    if len(by_depth) > 1 or max(by_depth) > 3:
        found = ", ".join(str(file) for file in sorted(by_depth.values())[:2])
        raise DataError(f"{root}: pictures are nested in several ways ({found}); "
                        f"fix: arrange all as {_FORMS}")  # fmt: skip
    if set(by_depth) == {2}:
        _check_classes(root, pictures)
        return [""]
    with_pictures = {file.parts[0] for file in pictures}
    for folder in folders:
        if folder.name not in with_pictures:
            raise DataError(f"{folder}: a split without pictures; fix: add some, or remove it")
    train = next((name for name in NAMES["train"] if name in with_pictures), None)
    if train is not None:
        _check_classes(root / train, [file.relative_to(train) for file in pictures
                                      if file.parts[0] == train])  # fmt: skip
    return sorted(with_pictures)


def _check_classes(folder: Path, pictures: Sequence[Path]) -> None:
    known = {file.parts[0] for file in pictures}
    for each in sorted(folder.iterdir()):
        if each.is_dir() and not _is_hidden(each.name) and each.name not in known:
            raise DataError(f"{each}: a class without pictures; fix: add some, or remove the "
                            "folder")  # fmt: skip


def _patterns(root: Path, split: str, files: Sequence[Path]) -> list[str]:
    """Return patterns of the files in a split's folder, "" for the whole folder."""
    inside = [file for file in files if not split or file.parts[0] == split]
    endings = {f"*{file.suffix}" for file in inside if file.name not in _METADATA}
    names = {file.name for file in inside if file.name in _METADATA}
    folder = glob.escape(os.path.abspath(root / split))
    return [f"{folder}/**/{pattern}" for pattern in sorted(endings | names)]


def _left_out(root: Path, others: Sequence[Path]) -> list[str]:
    counts = Counter(file.suffix.lower() or "no ending" for file in others)
    if not counts:
        return []
    listed = ", ".join(f"{count} {ending}" for ending, count in counts.most_common(5))
    fix = "remove them"
    if counts.keys() & {".csv", ".tsv", ".json", ".jsonl"}:
        fix = "call a table of labels metadata.csv, with the column file_name; remove the rest"
    return [f"{root}: files next to the pictures are not read ({listed}); fix: {fix}"]

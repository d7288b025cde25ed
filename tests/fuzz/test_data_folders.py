"""Any folder of images or texts is read, or refused with its file and the fix."""

from __future__ import annotations

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import tables
from models.data.description import describe_data
from models.data.loading import load_data
from models.data.sources import DataError
from tests.support.fuzzing import ODD_TEXTS, fuzzed, scalars
from tests.support.pictures import picture

pytestmark = pytest.mark.slow

KINDS = ("images", "classification", "entities", "dialogue")
FOLDERS = st.sampled_from(
    ["", "train", "test", "validation", "cat", "dog", "train/cat", "train/dog", "test/cat",
     "test/dog", "odd ☃/cat"]
)  # fmt: skip
SHAPES = st.sampled_from([(4, 6), (4, 6), (4, 6), (5, 6), (1, 1)])
MODES = st.sampled_from(["L", "L", "RGB", "RGBA", "I;16"])
SETTINGS = st.fixed_dictionaries({}, optional={
    "image_size": st.sampled_from([1, 4, 2000]), "split_seed": st.integers(0, 3),
    "label_column": st.sampled_from(["label", "nope"]),
    "text_column": st.sampled_from(["text", "label"]),
    "train_examples": st.sampled_from([1, 2, 50]),
    "splits": st.sampled_from([{"validation": 0.2, "test": 0.2}, {"validation": "test"}, {}]),
})  # fmt: skip


@st.composite
def pictures(draw: st.DrawFn) -> dict[str, bytes]:
    """Draws folders of classes, in splits or not, with a few wrong files."""
    found: dict[str, bytes] = {}
    size, mode = draw(SHAPES), draw(MODES)
    root = draw(st.sampled_from(["", "train/"]))
    for name in draw(st.sampled_from([("cat", "dog"), ("cat",), ("cat", "dog", "☃")])):
        for number in range(draw(st.integers(1, 6))):
            file = io.BytesIO()
            picture(draw(st.integers(0, 10_000)), size, mode).save(file, "PNG")
            found[f"{root}{name}/{number}.png"] = file.getvalue()
    for _ in range(draw(st.integers(0, 2))):
        file = io.BytesIO()
        picture(0, draw(SHAPES), draw(MODES)).save(file, "PNG")
        content = file.getvalue()
        wrong = [b"", content[: len(content) // 2], b"<html>", content, b"\x89PNG\r\n\x1a\n"]
        ending = draw(st.sampled_from([".png", ".jpg", ".txt", ".csv", ".PNG", ""]))
        folder = draw(FOLDERS)
        found[f"{folder}/odd{ending}".lstrip("/")] = draw(st.sampled_from(wrong))
    return found


@st.composite
def texts(draw: st.DrawFn) -> dict[str, bytes]:
    """Draws a file of rows a split, as CSV or JSON lines, with wrong cells and lines."""
    columns = draw(st.sampled_from([
        ("text", "label"), ("tokens", "tags"), ("prompt", "answer"), ("a", "b"),
        ("text", "text_pair"),
    ]))  # fmt: skip
    plain: dict[str, st.SearchStrategy[Any]] = {
        "label": st.sampled_from(["x", "y"]), "tokens": st.just(["Ada", "in", "Rome"]),
        "tags": st.sampled_from([["O", "O", "B-x"], ["B-x", "I-x", "O"], ["I-x", "O"]]),
    }  # fmt: skip
    ending = draw(st.sampled_from([".csv", ".jsonl", ".json", ".tsv"]))
    found = {}
    for split in draw(st.sampled_from([("train",), ("train", "test"), ("rows",)])):
        lines = []
        for number in range(draw(st.integers(0, 14))):
            row = {
                name: draw(plain.get(name, st.just(f"text {split} {number}"))) for name in columns
            }
            if draw(st.integers(0, 9)) == 0:
                row[draw(st.sampled_from([*columns, "more"]))] = draw(scalars)
            lines.append(row)
        found[f"{split}{ending}"] = written(lines, ending, columns).encode(
            draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16"])), "replace"
        )
    if draw(st.integers(0, 6)) == 0:
        found[f"odd{ending}"] = draw(st.sampled_from([b"", b"\x00", b"{", b'"', b"a,b\n1"]))
    return found


def written(rows: list[dict[str, Any]], ending: str, columns: tuple[str, ...]) -> str:
    if ending in (".jsonl", ".json"):
        return "".join(json.dumps(row, default=str) + "\n" for row in rows)
    between = "," if ending == ".csv" else "\t"
    lines = [between.join(columns)]
    return "\n".join(lines + [between.join(str(row.get(c, "")) for c in columns) for row in rows])


@st.composite
def pixels(draw: st.DrawFn) -> dict[str, bytes]:
    """Draws one .npz file with arrays that are right, or of wrong names, shapes and kinds."""
    count = draw(st.integers(0, 8))
    shape = draw(
        st.sampled_from([(count, 4, 6), (count, 1, 4, 6), (count,), (count, 0, 4), (2, 3, 4, 6)])
    )
    kind = draw(st.sampled_from(["u1", "u1", "f8", "i4", "U3", "O"]))
    labels = draw(st.sampled_from([np.arange(count) % 2, np.full(count, np.nan), np.zeros(count)]))
    named = draw(st.sampled_from([("x_train", "y_train"), ("images", "labels"), ("a", "b")]))
    file = io.BytesIO()
    np.savez(file, **{named[0]: np.zeros(shape, dtype=kind), named[1]: labels})  # type: ignore[arg-type]
    content = file.getvalue()
    return {"data.npz": draw(st.sampled_from([content, content, content[:-30], b"PK"]))}


@fuzzed(0.16)
@given(st.one_of(pictures(), texts(), pixels()), st.sampled_from(KINDS), SETTINGS)
def test_any_folder_is_read_or_refused_with_the_fix(
    files: dict[str, bytes], kind: str, settings: dict[str, Any]
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CACHE", Path(folder) / "cache")
        place = Path(folder) / "data"
        place.mkdir()
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        path = place / "data.npz" if "data.npz" in files else place
        try:
            found = describe_data({"path": str(path), **settings}, kind)
            data = load_data({"path": str(path), **settings}, kind)
        except DataError as error:
            assert "; fix: " in str(error) or "fix:" in str(error), str(error)
            assert any(part in str(error) for part in (str(place), "data", *settings)), str(error)
            return
        assert found.train >= 1 and found.digest
        assert data is not None


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_an_odd_name_of_a_file_is_no_format(text: str, tmp_path: Path) -> None:
    name = text.replace("/", "_").replace("\x00", "_").strip(". ") or "_"
    (tmp_path / name[:200]).write_bytes(b"a,b\n")
    with pytest.raises(DataError, match="fix"):
        describe_data({"path": str(tmp_path)}, "classification")

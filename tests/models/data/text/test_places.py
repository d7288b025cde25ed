"""Lines of rows: what an editor shows for a row, and nothing where that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.data.text.places import lines_of_rows


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.csv", "x,y\n1,2\n\n3,4\n", [2, 4]),
        ("a.csv", 'x,y\r\n"1\r\n\r\n1",2\r\n3,4', [2, 5]),
        ("a.csv", "\ufeffx,y\n \n1,2\n", [3]),
        ("a.tsv", "x\ty\n1, one\t2\n\t\n", [2, 3]),
        ("a.jsonl", '{"x": 1}\n\n{"x": 2}\n', [1, 3]),
    ],
)
def test_a_row_begins_at_the_line_that_an_editor_shows(
    tmp_path: Path, name: str, text: str, lines: list[int]
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="")
    assert lines_of_rows(file, len(lines)) == lines


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"x,y\n1,2\n"), ("a.json", b'[{"x": 1}, {"x": 2}]'), ("a.jsonl", b"\xff\n\xff\n"),
     ("missing.csv", None)],
)  # fmt: skip
def test_rows_that_cannot_be_counted_have_no_line(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    assert lines_of_rows(file, 2) == []

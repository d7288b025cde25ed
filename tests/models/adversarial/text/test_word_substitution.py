from pathlib import Path

import pytest

from models.adversarial.text.word_substitution import load_synonyms, substitutions
from models.data.sources import DataError


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_a_tsv_table_is_read_with_its_words_in_lower_case(tmp_path: Path) -> None:
    table = load_synonyms(written(tmp_path, "t.tsv", "Good\tfine\tdecent\n\nfilm\tmovie\r\n"))
    assert dict(table) == {"good": ("fine", "decent"), "film": ("movie",)}


def test_a_json_table_is_read_alike(tmp_path: Path) -> None:
    table = load_synonyms(written(tmp_path, "t.json", '{"Good": ["fine"], "film": ["movie"]}'))
    assert dict(table) == {"good": ("fine",), "film": ("movie",)}


def test_a_loaded_table_cannot_be_changed(tmp_path: Path) -> None:
    table = load_synonyms(written(tmp_path, "t.tsv", "good\tfine\n"))
    with pytest.raises(TypeError):
        table["bad"] = ("poor",)  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.tsv", "good\tfine\nbad\n", r"t\.tsv:2: 'bad' has no synonyms"),
        ("t.tsv", "good\tfine\n\nGOOD\tnice\n", r"t\.tsv:3: 'GOOD' is listed again after line 1"),
        ("t.tsv", "good\tvery nice\n", r"t\.tsv:1: 'very nice' is not one word"),
        ("t.tsv", "good\tfine\t\n", r"t\.tsv:1: '' is not one word"),
        ("t.tsv", "good\tGood\n", r"t\.tsv:1: 'good' is its own synonym"),
        ("t.tsv", "good\tfine\tFine\n", r"t\.tsv:1: 'fine' is listed twice"),
        ("t.tsv", "\n", "the synonym table is empty"),
        ("t.json", '{"good": ["fine"],\n "bad": "poor"}', r"t\.json:2: the value of 'bad'"),
        ("t.json", '{"good": ["fine"],\n "bad": [1]}', r"t\.json:2: the value of 'bad'"),
        ("t.json", '{"good": ["fine"],\n "good": ["nice"]}', r"t\.json:2: 'good' is listed again"),
        ("t.json", '{"good": ["fine"],\n', r"t\.json:\d: invalid JSON"),
        ("t.json", '["good"]', r"t\.json:1: no object; fix: give one object"),
        ("t.json", '{"a":' * 100_000, "nested too deeply|invalid JSON"),
    ],
)
def test_an_unfit_table_is_refused_by_file_and_line(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        load_synonyms(written(tmp_path, name, content))


def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.tsv: the synonym table cannot be read"):
        load_synonyms(tmp_path / "missing.tsv")
    (tmp_path / "latin.tsv").write_bytes("good\tcaf\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        load_synonyms(tmp_path / "latin.tsv")


def test_a_synonym_takes_the_case_of_the_word() -> None:
    table = {"good": ("fine", "McFine")}
    assert substitutions("good", table) == ("fine", "McFine")
    assert substitutions("Good", table) == ("Fine", "McFine")
    assert substitutions("GOOD", table) == ("FINE", "MCFINE")
    assert substitutions("bad", table) == ()
    assert substitutions("I", {"i": ("me",)}) == ("Me",)

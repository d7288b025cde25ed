from pathlib import Path

import pytest

from models.data.settings import DataSettings
from models.data.sources import DataError
from models.data.text.selection import load_text
from models.data.text.source import read_source
from models.data.text.splits import TextSource

# As in CoNLL-2003: word, part of speech, chunk, entity in IOB1; documents.
CONLL2003 = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def sentences(count: int, marked: str = "") -> str:
    """Sentences of two words, an entity in each."""
    return "\n\n".join(f"Ada{marked}{i} B-PER\nsings O" for i in range(count)) + "\n"


def read(path: Path, **settings: str) -> TextSource:
    return read_source(DataSettings(path=str(path), **settings), "entities")  # type: ignore[arg-type]


def message(path: Path, **settings: str) -> str:
    with pytest.raises(DataError) as error:
        read(path, **settings)
    return str(error.value)


def folder(tmp_path: Path, train: str, names: tuple[str, ...] = ("train", "dev", "test")) -> Path:
    for name in names[1:]:
        write(tmp_path / f"{name}.conll", sentences(3, name))
    write(tmp_path / f"{names[0]}.conll", train)
    return tmp_path


def test_the_files_of_conll_2003_are_read_by_their_names(tmp_path: Path) -> None:
    for name in ("eng.train", "eng.testa", "eng.testb"):
        write(tmp_path / name, CONLL2003.replace("EU", name))
    source = read(tmp_path)
    train, validation, test = (source.splits[each] for each in ("train", "validation", "test"))
    assert train.texts == (("eng.train", "rejects", "German", "call"), ("Peter", "Blackburn"))
    assert train.labels == (("B-ORG", "O", "B-MISC", "O"), ("B-PER", "I-PER"))
    assert validation.texts[0][0] == "eng.testa" and test.texts[0][0] == "eng.testb"
    (note,) = source.warnings
    assert "the tags are IOB1 and are read as IOB2; fix: none is needed" in note


def test_columns_are_separated_by_tabs_or_blanks_and_bytes_may_begin_with_a_mark(
    tmp_path: Path,
) -> None:
    text = "New York\tB-LOC\r\nis \tO\r\n \r\n\r\nOslo\tB-LOC"
    path = folder(tmp_path, "")
    (path / "train.conll").write_bytes(b"\xef\xbb\xbf" + text.encode())
    train = read(path).splits["train"]
    assert train.texts == (("New York", "is"), ("Oslo",))
    assert train.labels == (("B-LOC", "O"), ("B-LOC",))


def test_columns_are_chosen_by_their_numbers(tmp_path: Path) -> None:
    text = "# newdoc\n# text = Ada B-52 sings\n1\tAda\t_\tB-PER\t_\n2\tsings\t_\tO\t_\n"
    for name in ("train", "dev", "test"):
        write(tmp_path / f"{name}.conll", text.replace("Ada", name))
    train = read(tmp_path, text_column="2", label_column="4").splits["train"]
    assert train.texts == (("train", "sings"),) and train.labels == (("B-PER", "O"),)


def test_a_comment_is_no_word_and_the_word_hash_is_no_comment(tmp_path: Path) -> None:
    text = "# id = 3\nAda B-PER\n\n# O\n# O\n1 O\n\n#tag O\n\n# text = B-52\nBob B-PER\n"
    assert read(folder(tmp_path, text)).splits["train"].texts == (
        ("Ada",), ("#", "#", "1"), ("#tag",), ("Bob",),
    )  # fmt: skip


def test_a_single_file_is_divided_by_the_seed(tmp_path: Path) -> None:
    path = write(tmp_path / "all.txt", sentences(20))
    splits = read(path).splits
    sizes = {split: len(examples) for split, examples in splits.items()}
    assert sizes == {"train": 12, "validation": 4, "test": 4}
    texts = [text for examples in splits.values() for text in examples.texts]
    assert len(set(texts)) == 20
    other = read_source(DataSettings(path=str(path), split_seed=1), "entities").splits
    assert other["test"] != splits["test"]
    assert read(tmp_path).splits == splits  # a folder with a single file is that file


def test_sentences_of_a_document_stay_together(tmp_path: Path) -> None:
    documents = [f"-DOCSTART- O\n\n{sentences(4, f'-{number}-')}" for number in range(10)]
    path = write(tmp_path / "all.conll", "\n".join(documents))
    splits = read(path, group_column="document").splits
    found = {
        split: {words[0].split("-")[1] for words in examples.texts}
        for split, examples in splits.items()
    }
    assert sum(map(len, found.values())) == 10 and all(found.values())


def test_tags_are_numbered_as_those_of_other_formats(tmp_path: Path) -> None:
    data = load_text({"path": str(folder(tmp_path, sentences(4)))}, "entities")
    assert data.label_names == ("O", "B-PER", "I-PER") and data.train.labels[0] == (1, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada\tB-PER\nsings\n", ["train.conll, line 2: columns are ['sings']", "2 of them"]),
        ("Ada X B-PER\nis O\n", ["line 2", "3 of them", "blank line between sentences"]),
        ("Ada\nsings\n", ["line 1", "a word and its tag are two", "tab"]),
        ("Ada,B-PER\n", ["line 1", "separate them by a tab"]),
        ("a O\n\nAda I-PER\nis O\nb B-PER\n", ["line 3 ('Ada')", "in IOB2", "write 'B-PER'"]),
        ("Ada B-PER\nis V\n", ["line 2 ('is')", "'V' is no tag"]),
        ("-DOCSTART- O\n\n# note\n", ["train.conll: no rows"]),
    ],
)
def test_wrong_lines_are_named_with_file_and_line(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    found = message(folder(tmp_path, text))
    assert found.startswith(str(tmp_path / "train.conll"))
    assert all(word in found for word in [*words, "fix: "]), found


def test_files_whose_split_is_unclear_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, sentences(3))
    write(path / "README.txt", "Sentences about Ada.")
    assert len(read(path).splits["train"]) == 3
    extra = write(path / "more.conll", sentences(3))
    assert "more.conll: its name says no split; fix: name it train" in message(path)
    extra = extra.rename(path / "training.conll")
    assert "train.conll is the train split, too" in message(path)
    extra.unlink()
    (path / "dev.conll").write_bytes("é O\n".encode("latin-1"))
    text = message(path)
    assert text.startswith(f"{path / 'dev.conll'}, line 1: byte 0xe9 is not UTF-8; fix: save")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"label_column": "ner"}, ["label_column is 'ner'", "from '1' to '2'"]),
        ({"label_column": "3"}, ["label_column is '3'"]),
        ({"text_column": "0"}, ["text_column is '0'", "number of a column"]),
        ({"group_column": "author"}, ["group_column is 'author'", "document"]),
        ({"group_column": "document"}, ["no -DOCSTART- lines", "remove group_column"]),
        ({"pair_column": "2"}, ["pair_column means nothing for entities"]),
    ],
)
def test_settings_that_do_not_fit_columns_are_named(
    tmp_path: Path, settings: dict, words: list[str]
) -> None:
    found = message(folder(tmp_path, sentences(3)), **settings)
    assert all(word in found for word in [*words, "fix: "]), found

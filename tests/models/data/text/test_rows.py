from typing import Any

import pytest

from models.data.sources import DataError
from models.data.text.rows import read_exchanges, read_sentences, read_texts
from models.data.text.table import TextTable


def message(read: Any, lines: Any = (), **columns: list[Any]) -> str:
    with pytest.raises(DataError) as error:
        read(TextTable("some.parquet", columns, {"text": "review"}, lines=lines))
    return str(error.value)


def test_sentences_without_words_and_empty_words_are_refused() -> None:
    assert "row 1: a sentence without words" in message(
        read_sentences, tokens=[["a"], []], tags=[["O"], []]
    )
    assert "row 0, word 1: token is empty (' ')" in message(
        read_sentences, tokens=[["a", " "]], tags=[["O", "O"]]
    )
    assert "some.parquet, line 8: token is empty" in message(
        read_sentences, [[7, 8]], tokens=[["a", "\xa0"]], tags=[["O", "O"]]
    )


@pytest.mark.parametrize(
    ("tags", "words"), [(["O"], ["2 words but 1 tags", "exactly one"]), ("OO", ["'OO'", "list"])]
)
def test_tags_that_are_not_one_for_each_word_are_refused(tags: Any, words: list[str]) -> None:
    text = message(read_sentences, tokens=[["a"], ["a", "b"]], tags=[["O"], tags])
    assert text.startswith("some.parquet, row 1")
    assert all(word in text for word in words), text


def test_wrong_texts_are_refused_in_every_column_under_its_own_name() -> None:
    assert "row 1: review is empty (' \\n')" in message(read_texts, text=["a", " \n"])
    assert "row 0: text_pair is empty" in message(read_texts, text=["a"], text_pair=[""])
    assert "row 0: review is missing; fix: remove the row" in message(read_texts, text=[None])
    assert "row 0: review is missing" in message(read_texts, text=[float("nan")])
    assert "row 0: answer is empty" in message(read_exchanges, prompt=["a"], answer=[""])
    assert "row 0: prompt is 3; fix: store a string" in message(
        read_exchanges, prompt=[3], answer=["b"]
    )


def test_pairs_keep_their_order() -> None:
    columns = {"text_pair": ["c", "d"], "text": ["a", "b"]}
    assert read_texts(TextTable("f", columns)) == (("a", "c"), ("b", "d"))

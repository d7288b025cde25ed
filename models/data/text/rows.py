"""Checks of the rows of a text data set from any source, so that trials need none.

Rows count from 0. Tags are IOB2 (Tjong Kim Sang & Veenstra 1999, "Representing text chunks"): every
entity starts with `B-TYPE`, its further words have `I-TYPE`, all other words have `O`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.data.sources import DataError
from models.data.text.splits import TextExamples

COLUMNS = {
    "classification": ("text", "label"),
    "entities": ("tokens", "tags"),
    "dialogue": ("prompt", "answer"),
}
SECOND_TEXT = "text_pair"  # optional in classification; named as in transformers

_IOB2 = "fix: use O, B-TYPE or I-TYPE (IOB2)"


def check_columns(place: str, kind: str, names: Sequence[str]) -> None:
    """Refuse a table without the columns of its kind.

    Raises:
        DataError: a column is missing; the message lists those that are there.
    """
    missing = [name for name in COLUMNS[kind] if name not in names]
    if missing:
        raise DataError(
            f"{place}: no column {missing} for {kind}; there are {list(names)}; "
            f"fix: name them {list(COLUMNS[kind])}, or choose a model for other data"
        )


def checked_examples(
    place: str, kind: str, columns: Mapping[str, Sequence[Any]], label_names: Sequence[str] = ()
) -> TextExamples:
    """Return the examples in `columns`, each row checked; entity labels stay tags.

    `place` names the file or the split in messages. Only classification uses `label_names`.

    Raises:
        DataError: a column is missing, there are no rows, or a row is wrong.
    """
    check_columns(place, kind, list(columns))
    first, second = (columns[name] for name in COLUMNS[kind])
    if not len(first):
        raise DataError(f"{place}: no rows; fix: give at least one example")
    if kind == "entities":
        for row, (words, tags) in enumerate(zip(first, second, strict=True)):
            _check_sentence(f"{place}, row {row}", words, tags)
        return TextExamples(tuple(map(tuple, first)), tuple(map(tuple, second)))
    texts = [first]
    if kind == "dialogue":
        texts.append(second)
    elif SECOND_TEXT in columns:
        texts.append(columns[SECOND_TEXT])
    names = COLUMNS[kind] if kind == "dialogue" else ("text", SECOND_TEXT)
    for name, column in zip(names, texts, strict=False):
        for row, text in enumerate(column):
            _check_text(f"{place}, row {row}", name, text)
    if kind == "dialogue":
        return TextExamples(tuple(zip(*texts, strict=True)), (None,) * len(first))
    for row, label in enumerate(second):
        _check_label(f"{place}, row {row}", label, label_names)
    return TextExamples(tuple(zip(*texts, strict=True)), tuple(second))


def _check_text(place: str, name: str, text: Any) -> None:
    if not isinstance(text, str):
        raise DataError(f"{place}: {name} is {text!r}; fix: store a string")
    if not text.strip():
        raise DataError(f"{place}: {name} is empty ({text!r}); fix: remove the row or fill it in")


def _check_label(place: str, label: Any, label_names: Sequence[str]) -> None:
    if isinstance(label, bool) or not isinstance(label, int):
        raise DataError(f"{place}: label is {label!r}; fix: store a whole number (int64)")
    if label == -1:  # the usual mark of a hidden test label
        raise DataError(f"{place}: label is -1, a hidden label; fix: use a split with labels")
    if not 0 <= label < len(label_names):
        raise DataError(
            f"{place}: label is {label}, but there are {len(label_names)} label names "
            f"(0..{len(label_names) - 1}): {list(label_names)}; fix: correct it or name every class"
        )


def _check_sentence(place: str, words: Any, tags: Any) -> None:
    for name, value in (("tokens", words), ("tags", tags)):
        if not isinstance(value, list | tuple):
            raise DataError(f"{place}: {name} is {value!r}; fix: store a list of strings")
    if not words:
        raise DataError(f"{place}: a sentence without words; fix: remove the row")
    if len(words) != len(tags):
        raise DataError(
            f"{place}: {len(words)} words but {len(tags)} tags ({list(words)[:6]}...); "
            "fix: give every word exactly one tag"
        )
    for index, word in enumerate(words):
        _check_text(f"{place}, word {index}", "token", word)
    _check_tags(place, words, tags)


def _check_tags(place: str, words: Sequence[str], tags: Sequence[Any]) -> None:
    before = "O"
    for index, (word, tag) in enumerate(zip(words, tags, strict=True)):
        where = f"{place}, word {index} ({word!r})"
        if not isinstance(tag, str) or not (tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:])):
            raise DataError(f"{where}: {tag!r} is no tag; {_IOB2}")
        if tag[0] == "I" and before[2:] != tag[2:]:
            raise DataError(f"{where}: tag {tag!r} follows {before!r}; in IOB2 an entity starts "
                            "with B-; "
                            f"fix: write 'B-{tag[2:]}', or correct the tag before")  # fmt: skip
        before = tag

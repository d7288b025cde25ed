"""The text data set of a trial: examples in three splits, for four kinds of task.

The kinds are `classification` (a text, or a pair of texts, has a class), `ranking` (the items of a
group have grades of relevance, and are put in order), `entities` (every word has a tag in IOB2) and
`dialogue` (a prompt, or a conversation, has an answer). Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from models.data.sources import DataError
from models.kinds import TEXT_KINDS

NOT_STATED = "not stated"


@dataclass(frozen=True)
class TextExamples:
    """Examples of one split; `texts` and `labels` have the same length.

    classification: texts `(text,)` or `(first, second)`, labels the class as an int. ranking: the
    same, and the classes are grades, see `TextSplits`. entities:
    texts the words, labels one tag id for each word (before `number_tags`: the tag itself).
    dialogue: texts `(prompt, answer)`, labels None; or the contents of several turns, the answer
    last, and their roles as labels: a prompt and an answer in a tokenizer's chat template.
    `groups`: the group of each example, which must not be divided: that of `group_column`, or the
    conversation. None without.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[Any, ...]
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Iterable[int]) -> TextExamples:
        """Return the examples at `indices`, in their order."""
        kept = [int(index) for index in indices]
        groups = None if self.groups is None else tuple(self.groups[i] for i in kept)
        return TextExamples(
            tuple(self.texts[i] for i in kept), tuple(self.labels[i] for i in kept), groups
        )

    def labelled(self, labels: Iterable[Any]) -> TextExamples:
        """Return the same examples with other labels."""
        return replace(self, labels=tuple(labels))


@dataclass(frozen=True)
class TextSplits:
    """A loaded text data set.

    `label_names`: the classes by number; for ranking the grades of relevance as text, 0 for not
    relevant; for entities `("O", "B-a", "I-a", "B-b", ...)` over the sorted entity types of all
    splits; empty for dialogue. `digest`: 12 hex digits over texts, labels, label names and, since
    they decide where validation is cut and what is ranked, its groups.
    """

    kind: str
    name: str
    train: TextExamples
    validation: TextExamples
    test: TextExamples
    label_names: tuple[str, ...]
    licence: str
    digest: str


@dataclass(frozen=True)
class TextSource:
    """A checked data set before selection; entity labels are still tags.

    `splits` has train, validation and test. `label_names` is empty for entities and dialogue.
    `warnings` say what is suspicious, each with its fix.
    """

    name: str
    splits: dict[str, TextExamples]
    label_names: tuple[str, ...]
    licence: str
    warnings: tuple[str, ...] = ()


def check_kind(kind: str) -> None:
    """Raise an error for an unknown kind of text task.

    Raises:
        DataError: `kind` is none of `TEXT_KINDS`.
    """
    if kind not in TEXT_KINDS:
        raise DataError(f"kind is {kind!r}; fix: choose one of {list(TEXT_KINDS)}")

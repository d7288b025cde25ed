"""Tokens with labels from texts, for the three kinds of task.

Entities: a word's tag is predicted at its first sub-token (Devlin et al. 2019, section 5.3) and in
exactly one window, see `cut_windows`. Dialogue: only the answer and the end of text have labels.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from transformers import PreTrainedTokenizerBase

from models.data.text.splits import check_kind
from models.networks.tokenizer import split_word_tokenizer
from models.training.text.chat import write_exchange

IGNORED = -100  # label that the cross-entropy of torch and transformers ignores


@dataclass(frozen=True)
class Encoded:
    """Tokens of one row of a batch, all tuples of one length; `token_types` None if unused.

    `labels`: classification the class, or None; entities and dialogue one for each token, -100
    ignored. `example`: index into the texts that were encoded. `words`: for entities, at each token
    the word that is predicted there, else None; empty for other kinds.
    """

    input_ids: tuple[int, ...]
    token_types: tuple[int, ...] | None
    labels: int | tuple[int, ...] | None
    example: int
    words: tuple[int | None, ...] = ()


class Encoder:
    """Encodes texts of one kind with one tokenizer, at most `max_length` tokens for each row.

    Classification and dialogue are cut to the length; of entities only a word longer than a whole
    window is cut, and its tag is still predicted.

    Raises:
        ValueError: the kind is unknown; `max_length` is above the model's, or too small for text in
            addition to the special tokens; dialogue without an end-of-text token.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        kind: str,
        label_names: Sequence[str],
        max_length: int,
    ) -> None:
        check_kind(kind)
        self.tokenizer = split_word_tokenizer(tokenizer) if kind == "entities" else tokenizer
        self.kind = kind
        self.label_names = tuple(label_names)
        self.max_length = max_length
        self._has_types = "token_type_ids" in tokenizer.model_input_names
        self._prefix, self._suffix = _special_tokens(self.tokenizer)
        if max_length > tokenizer.model_max_length:
            raise ValueError(
                f"max_length is {max_length}, but the model takes "
                f"{tokenizer.model_max_length} tokens; fix: give at most that"
            )
        # Room for two tokens: one of a prompt and one of an answer, or one of each text of a pair.
        least = 2 + max(
            len(self._prefix) + len(self._suffix),
            int(tokenizer.num_special_tokens_to_add(pair=True)),
        )
        if max_length < least:
            raise ValueError(f"max_length is {max_length}, but with its special tokens this "
                             f"tokenizer needs {least}; fix: give at least that")  # fmt: skip
        if kind == "dialogue" and tokenizer.eos_token_id is None:
            raise ValueError("dialogue needs a tokenizer with an end-of-text token; fix: set "
                             "eos_token in tokenizer_config.json")  # fmt: skip

    def encode(
        self, texts: Sequence[tuple[str, ...]], labels: Sequence[Any] | None = None
    ) -> list[Encoded]:
        """Encode `texts` to rows, in their order; an entities example may give several.

        `labels` are as in `TextExamples`; None: entities all -100, classification None. A dialogue
        takes its labels from its answer; `labels` have the roles of a conversation (`chat.py`).
        """
        if not len(texts):
            return []
        if self.kind == "entities":
            return self._entities(texts, labels)
        if self.kind == "dialogue":
            return self._dialogue(texts, labels)
        return self._classes(texts, labels)

    def _classes(
        self, texts: Sequence[tuple[str, ...]], labels: Sequence[Any] | None
    ) -> list[Encoded]:
        columns = [list(column) for column in zip(*texts, strict=True)]
        whole = self.tokenizer(*columns, verbose=False)
        long = [i for i, ids in enumerate(whole["input_ids"]) if len(ids) > self.max_length]
        rows = {name: list(values) for name, values in whole.items()}
        if long:
            again = [[column[i] for i in long] for column in columns]
            cut = self.tokenizer(*again, truncation="longest_first", max_length=self.max_length)
            for name, values in cut.items():
                for i, value in zip(long, values, strict=True):
                    rows[name][i] = value
        encoded = []
        for i, ids in enumerate(rows["input_ids"]):
            types = rows["token_type_ids"][i] if self._has_types else None
            if not ids:  # without special tokens and without a known letter
                ids, types = [self._unknown], types and [0]
            label = None if labels is None else int(labels[i])
            encoded.append(Encoded(tuple(ids), None if types is None else tuple(types), label, i))
        return encoded

    def _entities(
        self, texts: Sequence[tuple[str, ...]], labels: Sequence[Any] | None
    ) -> list[Encoded]:
        capacity = self.max_length - len(self._prefix) - len(self._suffix)
        encoded = []
        for example, pieces in enumerate(self._pieces(texts)):
            pieces = [piece[:capacity] for piece in pieces]
            sizes = [len(piece) for piece in pieces]
            windows = cut_windows(sizes, capacity)
            predicting = predicting_windows(sizes, windows)
            tags = None if labels is None else labels[example]
            for number, (start, end) in enumerate(windows):
                if number not in predicting:
                    continue  # for each of its words another window has more context
                words: list[int | None] = []
                for word in range(start, end):
                    words.append(word if predicting[word] == number else None)
                    words.extend([None] * (sizes[word] - 1))
                ids = [token for piece in pieces[start:end] for token in piece]
                encoded.append(self._window(ids, words, tags, example))
        return encoded

    def _window(
        self,
        ids: Sequence[int],
        words: Sequence[int | None],
        tags: Sequence[int] | None,
        example: int,
    ) -> Encoded:
        before, after = (None,) * len(self._prefix), (None,) * len(self._suffix)
        places = (*before, *words, *after)
        labels = tuple(IGNORED if tags is None or w is None else int(tags[w]) for w in places)
        return self._row((*self._prefix, *ids, *self._suffix), labels, example, places)

    def _pieces(self, texts: Sequence[tuple[str, ...]]) -> list[list[list[int]]]:
        """Return token ids by word; a word without a token (a control character) is unknown."""
        batch = self.tokenizer(
            [list(words) for words in texts],
            is_split_into_words=True,
            add_special_tokens=False,
            verbose=False,
        )
        found = []
        for i, words in enumerate(texts):
            pieces: list[list[int]] = [[] for _ in words]
            for token, word in zip(batch["input_ids"][i], batch.word_ids(i), strict=True):
                pieces[word].append(token)
            found.append([piece or [self._unknown] for piece in pieces])
        return found

    def _dialogue(
        self, texts: Sequence[tuple[str, ...]], roles: Sequence[Any] | None
    ) -> list[Encoded]:
        exchanges = [
            write_exchange(self.tokenizer, each, None if roles is None else roles[i])
            for i, each in enumerate(texts)
        ]
        plain = {"add_special_tokens": False, "verbose": False}
        prompt_ids = self.tokenizer([each.prompt for each in exchanges], **plain)["input_ids"]
        answer_ids = self.tokenizer([each.answer for each in exchanges], **plain)["input_ids"]
        encoded = []
        for i, exchange in enumerate(exchanges):
            prefix = () if exchange.is_framed else self._prefix
            capacity = self.max_length - len(prefix)
            prompt, told = prompt_ids[i], list(answer_ids[i])
            told += [] if exchange.is_closed else [self.tokenizer.eos_token_id]
            # Keep at least one token of the prompt; a cut answer has no end of text.
            told = told[: capacity - 1]
            room = capacity - len(told)
            asked = (*prefix, *prompt[-room:])
            labels = (*(IGNORED,) * len(asked), *told)
            encoded.append(self._row((*asked, *told), labels, i, ()))
        return encoded

    def _row(
        self,
        ids: tuple[int, ...],
        labels: tuple[int, ...],
        example: int,
        words: tuple[int | None, ...],
    ) -> Encoded:
        types = (0,) * len(ids) if self._has_types else None
        return Encoded(ids, types, labels, example, words)

    @property
    def _unknown(self) -> int:
        tokenizer = self.tokenizer
        found = tokenizer.unk_token_id
        return int(tokenizer.pad_token_id if found is None else found)


def _special_tokens(
    tokenizer: PreTrainedTokenizerBase,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids that the tokenizer adds before and after a single text."""
    probe = tokenizer("a", return_special_tokens_mask=True)
    text = [i for i, special in enumerate(probe["special_tokens_mask"]) if not special]
    if not text:
        raise ValueError(
            "the tokenizer has no token for 'a'; fix: set its unk_token, or use another"
        )
    ids = probe["input_ids"]
    return tuple(ids[: text[0]]), tuple(ids[text[-1] + 1 :])


# Share of a window that the next one repeats. SQuAD's code steps by 128 of 384 tokens, for answers
# of many words; a tag needs less context, and every repeated token costs time.
_OVERLAP = 0.25


def cut_windows(sizes: Sequence[int], capacity: int) -> list[tuple[int, int]]:
    """Return windows `(first word, word after the last)` that cover all words, in order.

    Each has at most `capacity` tokens; `sizes` are tokens per word, each in [1, capacity]. A window
    overlaps the one before; the last one reaches back as far as it can.
    """
    assert all(1 <= size <= capacity for size in sizes)
    ends = [0, *accumulate(sizes)]  # ends[i]: tokens before word i
    overlap = int(capacity * _OVERLAP)
    windows = []
    start = 0
    while True:
        end = bisect_right(ends, ends[start] + capacity) - 1
        windows.append((start, end))
        if end == len(sizes):
            return windows
        first_token = ends[end] - overlap
        if ends[-1] - first_token <= capacity:
            first_token = ends[-1] - capacity
        # Word `end` must fit, however long it is, or the loop would not advance.
        start = bisect_left(ends, max(first_token, ends[end + 1] - capacity))


def predicting_windows(sizes: Sequence[int], windows: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each word the window that predicts it: where its shorter context is longest.

    Context is counted in tokens; on a tie the earlier window is taken.
    """
    ends = [0, *accumulate(sizes)]
    predicting = [0] * len(sizes)
    most = [-1] * len(sizes)
    for number, (start, end) in enumerate(windows):
        for word in range(start, end):
            context = min(ends[word] - ends[start], ends[end] - ends[word + 1])
            if context > most[word]:
                predicting[word], most[word] = number, context
    return predicting

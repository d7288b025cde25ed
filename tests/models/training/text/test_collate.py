import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from models.training.text.collate import collate, length_batches
from models.training.text.encoding import Encoded, Encoder

Tokenizers = dict[str, PreTrainedTokenizerBase]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_a_generator_batches_are_sorted_by_length() -> None:
    assert length_batches([5, 1, 3, 1, 9], 2, None) == [[1, 3], [2, 0], [4]]
    assert length_batches([], 2, None) == []


@given(st.lists(st.integers(1, 50), max_size=200), st.integers(1, 20), st.integers(0, 5))
def test_every_row_is_in_one_batch_and_at_most_one_batch_is_short(
    lengths: list[int], size: int, seed: int
) -> None:
    batches = length_batches(lengths, size, seeded(seed))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert sum(len(batch) < size for batch in batches) <= 1
    assert batches == length_batches(lengths, size, seeded(seed))


def test_seeds_change_the_batches_and_buckets_save_padding() -> None:
    lengths = torch.randint(3, 60, (1000,), generator=seeded(1)).tolist()
    first, second = (length_batches(lengths, 16, seeded(seed)) for seed in (0, 1))
    assert first != second
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    drawn = torch.randperm(1000, generator=seeded(2)).tolist()
    unsorted = [drawn[start : start + 16] for start in range(0, 1000, 16)]
    padded = [
        sum(len(batch) * max(lengths[row] for row in batch) for batch in batches) - sum(lengths)
        for batches in (first, unsorted)
    ]
    # Four pools of 250: neighbours in a batch differ by about 57 * 16 / 250 = 4 tokens, against
    # nearly 57; a quarter of the padding leaves room for the last batches of the pools.
    assert padded[0] < padded[1] / 4


def test_rows_are_padded_on_the_right_to_the_longest(tokenizers: Tokenizers) -> None:
    rows = [
        Encoded((7, 8, 9), (0, 0, 1), (-100, 4, 5), 0),
        Encoded((7,), (0,), (3,), 1),
    ]
    batch = collate(rows, tokenizers["cased"])
    pad = tokenizers["cased"].pad_token_id
    assert batch["input_ids"].tolist() == [[7, 8, 9], [7, pad, pad]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 4, 5], [3, -100, -100]]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())


def test_the_end_of_an_answer_is_no_padding_though_it_is_the_same_token(
    tokenizers: Tokenizers,
) -> None:
    encoder = Encoder(tokenizers["bytes"], "dialogue", (), 64)
    rows = encoder.encode([("the shop of Ada", "in Oslo"), ("the", "in")])
    batch = collate(rows, encoder.tokenizer)
    last = len(rows[1].input_ids) - 1
    assert batch["labels"][1, last] == encoder.tokenizer.eos_token_id
    assert batch["attention_mask"][1].tolist() == [1] * (last + 1) + [0] * (
        len(rows[0].input_ids) - last - 1
    )
    assert set(batch["labels"][1, last + 1 :].tolist()) == {-100}
    assert "token_type_ids" not in batch


def test_classes_are_one_label_a_row_or_none_at_all(tokenizers: Tokenizers) -> None:
    encoder = Encoder(tokenizers["cased"], "classification", ("no", "yes"), 32)
    texts = [("the",), ("the shop",)]
    assert collate(encoder.encode(texts, [1, 0]), encoder.tokenizer)["labels"].tolist() == [1, 0]
    assert "labels" not in collate(encoder.encode(texts), encoder.tokenizer)

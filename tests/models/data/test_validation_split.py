import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.loading import ImageSplits
from models.data.validation_split import Parts, cut


def all_of(parts: Parts) -> np.ndarray:
    return np.concatenate([parts.selection, parts.objective, parts.confirmation])


@given(st.lists(st.integers(0, 4), min_size=3, max_size=90), st.integers(0, 9))
def test_every_example_is_in_one_part_and_no_part_is_empty(labels: list[int], seed: int) -> None:
    parts = cut(np.array(labels, dtype=np.int64), seed)
    assert sorted(all_of(parts)) == list(range(len(labels)))
    for part in (parts.selection, parts.objective, parts.confirmation):
        assert len(part) >= 1 and part.dtype == np.int64 and (np.diff(part) > 0).all()
    sizes = np.array([len(parts.selection), len(parts.objective), len(parts.confirmation)])
    # The largest remainder moves no size by a whole example.
    assert (np.abs(sizes - len(labels) * np.array([0.25, 0.5, 0.25])) < 1).all()


@pytest.mark.parametrize(("n", "sizes"), [(297, (74, 149, 74)), (3, (1, 1, 1)), (8, (2, 4, 2))])
def test_sizes_are_a_quarter_a_half_and_a_quarter(n: int, sizes: tuple[int, ...]) -> None:
    parts = cut(np.arange(n, dtype=np.int64) % 2, seed=0)
    assert (len(parts.selection), len(parts.objective), len(parts.confirmation)) == sizes


def test_parts_of_digits_keep_the_shares_of_the_classes(digits: ImageSplits) -> None:
    labels = digits.validation_labels
    parts, counts = cut(labels, seed=0), np.bincount(labels)
    for part, share in (
        (parts.selection, 0.25),
        (parts.objective, 0.5),
        (parts.confirmation, 0.25),
    ):
        # Rounding of this part's quota and of the one drawn before it: less than two examples.
        assert (np.abs(np.bincount(labels[part]) - share * counts) < 2).all()


def test_a_cut_follows_its_seed() -> None:
    labels = np.arange(40, dtype=np.int64) % 4
    assert np.array_equal(all_of(cut(labels, 1)), all_of(cut(labels, 1)))
    assert not np.array_equal(all_of(cut(labels, 1)), all_of(cut(labels, 2)))


def test_fewer_than_three_examples_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match=r"has 2 examples.*at least 3"):
        cut(np.zeros(2, dtype=np.int64), seed=0)

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.training.text.encoding import cut_windows, predicting_windows

CASES = st.integers(2, 20).flatmap(
    lambda capacity: st.tuples(st.lists(st.integers(1, capacity), max_size=60), st.just(capacity))
)


def test_a_sentence_that_fits_is_one_window() -> None:
    assert cut_windows([1, 2, 3], 6) == [(0, 3)]
    assert cut_windows([], 6) == [(0, 0)]


def test_windows_overlap_by_a_quarter_and_the_last_is_full() -> None:
    # 20 words of a token, 8 at once, 2 of them repeated: 0-7, 6-13; then 12-19 reaches the end.
    assert cut_windows([1] * 20, 8) == [(0, 8), (6, 14), (12, 20)]
    # One word less: the last window would hold 7, so it reaches one back.
    assert cut_windows([1] * 19, 8) == [(0, 8), (6, 14), (11, 19)]


def test_a_word_is_answered_where_its_shorter_context_is_longest() -> None:
    # Windows 0-7 and 4-11. Word 5 has 5 and 2 tokens of context in the first, 1 and 6 in the
    # second.
    assert predicting_windows([1] * 12, [(0, 8), (4, 12)]) == [0] * 6 + [1] * 6
    # Word 3 has one token on its shorter side in both: the earlier window answers.
    assert predicting_windows([1] * 7, [(0, 5), (2, 7)]) == [0] * 4 + [1] * 3


def test_context_is_counted_in_tokens() -> None:
    # Word 2: 4 and 1 tokens in the first window, 2 and 5 in the second.
    assert predicting_windows([2, 2, 1, 1, 4], [(0, 4), (1, 5)]) == [0, 0, 1, 1, 1]


@given(CASES)
def test_windows_cover_all_words_in_order_and_fit(case: tuple[list[int], int]) -> None:
    sizes, capacity = case
    windows = cut_windows(sizes, capacity)
    assert all(sum(sizes[start:end]) <= capacity for start, end in windows)
    assert windows[0][0] == 0 and windows[-1][1] == len(sizes)
    for (start, end), (next_start, next_end) in pairwise(windows):
        assert start < next_start <= end < next_end


@given(CASES)
def test_a_window_predicts_only_words_in_it(case: tuple[list[int], int]) -> None:
    sizes, capacity = case
    windows = cut_windows(sizes, capacity)
    for word, number in enumerate(predicting_windows(sizes, windows)):
        assert windows[number][0] <= word < windows[number][1]

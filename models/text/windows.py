"""Cut a long sentence into overlapping windows, and say which window answers for which word.

Source: the sliding windows of Devlin et al. 2019 ("BERT", the SQuAD code), where a word belongs to
the window in which it has most context, `min(left, right)`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

# Share of a window that the next one repeats. SQuAD's code steps by 128 of 384 tokens, for answers
# of many words; a tag needs less, and every repeated token costs time.
_OVERLAP = 0.25


def cut_windows(sizes: Sequence[int], capacity: int) -> list[tuple[int, int]]:
    """Windows `(first word, word after the last)` that cover all words, in order.

    Each holds at most `capacity` tokens; `sizes` are tokens a word, each in [1, capacity]. A window
    repeats the end of the one before; the last reaches back as far as it can.
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
        # Word `end` must fit, however long it is: otherwise there would be no way forward.
        start = bisect_left(ends, max(first_token, ends[end + 1] - capacity))


def answering_windows(sizes: Sequence[int], windows: Sequence[tuple[int, int]]) -> list[int]:
    """For each word the one window that answers for it: where its shorter context is longest.

    Context is counted in tokens; on a tie the earlier window answers.
    """
    ends = [0, *accumulate(sizes)]
    answering = [0] * len(sizes)
    most = [-1] * len(sizes)
    for number, (start, end) in enumerate(windows):
        for word in range(start, end):
            context = min(ends[word] - ends[start], ends[end] - ends[word + 1])
            if context > most[word]:
                answering[word], most[word] = number, context
    return answering

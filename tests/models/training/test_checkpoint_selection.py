import numpy as np
import pytest

from models.training.checkpoint_selection import SelectedEpoch


def after(*epochs: list[float]) -> SelectedEpoch:
    choice = SelectedEpoch()
    for number, scores in enumerate(epochs, start=1):
        choice = choice.after(number, np.array(scores))
    return choice


def test_a_better_epoch_is_picked_and_an_equal_later_one() -> None:
    assert after([0, 0, 0, 1], [1, 1, 0, 1]).picked == 2
    assert after([1, 1, 0, 1], [1, 1, 0, 1]).picked == 2


def test_an_epoch_within_one_paired_standard_error_of_the_best_is_picked() -> None:
    # Of 16 pairs one is worse: 1/16 behind, and the standard error is sqrt(1/16)/4 = 1/16 exactly.
    # Two worse and none better: 2/16 behind; variance 16/15 * (2/16)(14/16), standard error 0.0854.
    best = [1.0] * 16
    assert after(best, [0.0] + [1.0] * 15).picked == 2
    assert after(best, [0.0] * 2 + [1.0] * 14).picked == 1


def test_examples_that_change_both_ways_widen_what_counts_as_equal() -> None:
    # Three lost and one won: 2/16 behind, variance (4 - 16 * (2/16)^2) / 15 = 0.25, error 0.125.
    best = [1.0] * 12 + [0.0] * 4
    assert after(best, [0.0] * 3 + [1.0] * 9 + [1.0] + [0.0] * 3).picked == 2


def test_epochs_are_compared_with_the_best_not_with_the_one_picked() -> None:
    # Each epoch is one example of 16 worse than the one before: the second is within an error of
    # the best, the third is not, though it is within one of the second.
    best = [1.0] * 16
    choice = after(best, [0.0] + [1.0] * 15, [0.0] * 2 + [1.0] * 14)
    assert (choice.picked, choice.stale) == (2, 2)


def test_only_a_better_mean_ends_the_count_of_stale_epochs() -> None:
    assert after([1, 0], [1, 0], [0, 1]).stale == 2
    assert after([1, 0], [1, 0], [1, 1]).stale == 0


def test_a_choice_comes_back_from_its_state_and_refuses_other_examples() -> None:
    choice = after([1.0, 0.0], [1.0, 0.0])
    again = SelectedEpoch.of(choice.state()).after(3, np.array([1.0, 1.0]))
    assert (again.picked, again.stale) == (3, 0)
    with pytest.raises(ValueError, match="same examples"):
        choice.after(3, np.array([1.0]))


def test_one_example_is_enough() -> None:
    assert after([1.0], [0.0]).picked == 1

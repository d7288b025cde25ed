"""The first rung that past learning curves say."""

from __future__ import annotations

import math

import pytest

from search.extract.rungs import FEWEST_CURVES, FirstRung, first_rung
from search.history import Trial
from search.objectives import Objective

LOSS = Objective("loss", "minimize")
EPOCHS = 10
COUNT = 24


def searched(
    task: str, curve_of, *, epochs: int = EPOCHS, count: int = COUNT, **more
) -> list[Trial]:
    """Trials 0 (the best) to `count` - 1 of a task; `curve_of(number, epoch)` is the loss."""
    found = []
    for number in range(count):
        curve = {epoch: float(curve_of(number, epoch)) for epoch in range(1, epochs + 1)}
        found.append(
            Trial(
                state="complete", configuration={"x": number}, values=(curve[epochs],),
                objectives=(LOSS,), curves={"loss": curve}, epoch=epochs, task=task, search=task,
                number=number, **more,
            )
        )  # fmt: skip
    return found


def parallel(number: int, epoch: int) -> float:
    return number + 1.0 / epoch


def crossing_at(place: int):
    """Curves in the opposite order before an epoch, and in the right one from then on."""
    return lambda number, epoch: number if epoch >= place else -number


def rung(trials, *, task: str = "own", reduction: float = 3.0, epochs: int = EPOCHS, **similar):
    return first_rung(
        trials, {LOSS: "loss"}, task=task, similarities=similar, epochs=epochs,
        reduction_factor=reduction,
    )  # fmt: skip


def test_curves_that_never_cross_are_ranked_at_their_first_epoch():
    assert rung(searched("own", parallel)).epochs == 1


def test_the_rung_is_where_curves_have_crossed():
    found = rung(searched("own", crossing_at(7)))
    assert found.epochs == 7
    assert found.agreement == 1.0


def test_curves_that_agree_and_then_cross_do_not_agree_yet():
    def crossing_late(number: int, epoch: int) -> float:
        return -number if epoch == 8 else number

    assert rung(searched("own", crossing_late)).epochs == 9


def test_the_better_half_has_to_agree_too():
    # Early on the worse half is in order and behind; the better half is in reverse.
    def reversed_top(number: int, epoch: int) -> float:
        return -number if epoch < 6 and number < COUNT // 2 else number

    # Of 24 * 23 / 2 = 276 pairs the 66 of the better half are wrong: tau is 1 - 2 * 66/276 = .52,
    # enough for halving by 2, not for a third. Among the better half it is -1.
    assert rung(searched("own", reversed_top), reduction=3.0).epochs == 6
    assert rung(searched("own", reversed_top), reduction=2.0).epochs == 6
    # With a single pair of neighbours exchanged all agree from the first epoch on.
    assert rung(searched("own", lambda n, e: n ^ 1 if e < 6 and n < 2 else n)).epochs == 1


def test_a_harder_cut_needs_more_agreement():
    # Tau is 1 - 2 * 55/276 = .60 of all where the 11 worst are reversed, 1 of the better half.
    def reversed_end(number: int, epoch: int) -> float:
        return 13 + (23 - number) if epoch < 6 and number >= 13 else number

    assert rung(searched("own", reversed_end), reduction=2.0).epochs == 1  # .50 is enough
    assert rung(searched("own", reversed_end), reduction=3.0).epochs == 6  # .67 is not reached


def test_the_same_task_counts_alone_if_it_has_enough_curves():
    other = searched("other", crossing_at(9))
    alone = rung([*other, *searched("own", crossing_at(3))], other=0.9)
    assert (alone.epochs, alone.tasks, alone.is_same_task) == (3, 1, True)
    few = searched("own", crossing_at(3), count=FEWEST_CURVES - 1)
    similar = rung([*other, *few], other=0.9)
    assert (similar.epochs, similar.curves, similar.is_same_task) == (9, 24, False)


def test_tasks_count_by_their_mean():
    # Up to epoch 3 one task has -1 and three have 1: their mean is .5, too little for a third.
    three = [each for n in range(3) for each in searched(f"t{n}", parallel)]
    trials = [*three, *searched("late", crossing_at(4))]
    similar = {"t0": 1.0, "t1": 1.0, "t2": 1.0, "late": 1.0}
    found = rung(trials, reduction=3.0, **similar)
    assert (found.epochs, found.tasks, found.curves) == (4, 4, 96)
    assert rung(trials, reduction=2.0, **similar).epochs == 1


def test_tasks_that_are_unlike_and_trials_without_an_end_say_nothing():
    other = searched("other", parallel)
    assert rung(other, other=0.1) is None
    assert rung(other) is None
    stopped = [
        Trial(state="stopped", configuration=each.configuration, curves=each.curves, epoch=3,
              objectives=each.objectives, task="own", search="own")
        for each in other
    ]  # fmt: skip
    assert rung(stopped) is None


def test_a_search_of_another_length_counts_by_its_share():
    found = rung(searched("own", crossing_at(15), epochs=30), epochs=10)
    assert found.epochs == 5  # 15 of 30
    # Rounded to the later one: 7 of 30 is epoch 2.33 of 10, and at 2 they are at epoch 6.
    assert rung(searched("own", crossing_at(7), epochs=30), epochs=10).epochs == 3


def test_curves_that_never_agree_stop_no_trial():
    found = rung(searched("own", crossing_at(EPOCHS)))
    assert found.epochs == EPOCHS
    assert math.isnan(found.agreement)
    assert found.in_words().startswith(
        "no trial is stopped for its rank: 24 past curves of this same task do not"
    )


def test_the_latest_of_several_objectives_decides():
    better = Objective("accuracy", "maximize")
    trials = [
        Trial(
            state="complete", configuration={"x": n}, values=(float(n), -float(n)), epoch=EPOCHS,
            objectives=(LOSS, better), task="own", search="own", number=n,
            curves={"loss": dict.fromkeys(range(1, 11), float(n)),
                    "cheap": {e: -float(n) if e >= 4 else float(n) for e in range(1, 11)}},
        )
        for n in range(COUNT)
    ]  # fmt: skip
    compared = {LOSS: "loss", better: "cheap"}
    found = first_rung(
        trials, compared, task="own", similarities={}, epochs=EPOCHS, reduction_factor=3.0
    )
    assert found is not None
    assert found.epochs == 4


def test_equal_and_missing_values_are_no_agreement():
    flat = searched("own", lambda number, epoch: number if epoch > 5 else 0.0)
    assert rung(flat).epochs == 6
    late = searched("own", parallel)
    cut = [
        Trial(state="complete", configuration=each.configuration, values=each.values, epoch=EPOCHS,
              objectives=each.objectives, task="own", search="own",
              curves={"loss": {e: v for e, v in each.curves["loss"].items() if e >= 3}})
        for each in late
    ]  # fmt: skip
    assert rung(cut).epochs == 3


def test_the_sentence_says_what_it_rests_on():
    assert FirstRung(6, 15, 310, 4, False, 0.68, 0.41).in_words() == (
        "the first rung is at epoch 6 of 15: from there on 310 past curves of 4 similar tasks rank "
        "as their ends do (Kendall's tau 0.68, among the better half 0.41)"
    )


@pytest.mark.parametrize("epochs", [1, 2])
def test_short_trainings_have_their_first_epoch_or_no_rung(epochs):
    found = rung(searched("own", parallel), epochs=epochs)
    assert found is None if epochs == 1 else found.epochs == 1

"""Portfolio: which of the earlier configurations come first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from search.apply.candidate_grid import CandidateGrid
from search.apply.portfolio import Choice, Portfolio, choose
from search.objectives import pareto
from tests.support.earlier_tasks import (
    LINE,
    SQUARE,
    at_random,
    context,
    modelled,
    on_line,
    own_trial,
    prior_trial,
)


def distance_from(best, scale=1.0):
    return lambda x: scale * abs(x - best)


def chosen(evidence, size, directions=("minimize",), space=LINE) -> list[Choice]:
    return choose(modelled(evidence, space, directions), CandidateGrid(space), size)


def places(choices):
    return [choice.configuration["x"] for choice in choices]


def test_the_first_is_best_on_most_tasks_and_the_second_on_the_rest():
    evidence = [
        *on_line("a", distance_from(0.2)),
        *on_line("b", distance_from(0.2)),
        *on_line("c", distance_from(0.9)),
    ]
    choices = chosen(evidence, 2)
    # By hand: 0.2 is best on two tasks of three; then only c has much to gain. A model of trials
    # 0.05 apart may take the best for its neighbour.
    assert places(choices) == pytest.approx([0.2, 0.9], abs=0.051)
    assert choices[1].gains["c"] > 0.5
    assert max(choices[1].gains["a"], choices[1].gains["b"]) < 0.1


@pytest.mark.slow
def test_the_scale_of_a_tasks_values_does_not_matter():
    small = [*on_line("a", distance_from(0.2)), *on_line("b", distance_from(0.8))]
    large = [*on_line("a", distance_from(0.2, scale=1000.0)), *on_line("b", distance_from(0.8))]
    assert places(chosen(small, 4)) == places(chosen(large, 4))


def test_a_maximised_objective_chooses_the_largest():
    assert places(chosen(on_line("a", lambda x: x), 1, ["maximize"])) == [1.0]
    assert places(chosen(on_line("a", lambda x: x), 1, ["minimize"])) == [0.0]


def test_two_objectives_get_both_ends_of_the_front():
    choices = chosen(on_line("a", lambda x: (x, 1 - x), 11), 5, ["minimize"] * 2)
    assert min(places(choices)) < 0.35 and max(places(choices)) > 0.65
    assert len(set(places(choices))) == 5


def test_the_greedy_choice_is_that_of_plain_greedy():
    evidence = [
        trial
        for index, name in enumerate("abc")
        for trial in at_random(
            name, lambda x, y, i=index: ((x - 0.3 * i) ** 2 + y, (y - 0.5) ** 2 - x), 12, index
        )
    ]
    tasks = modelled(evidence, SQUARE, ["minimize"] * 2)
    longer = choose(tasks, CandidateGrid(SQUARE), 6)
    totals = [sum(choice.gains.values()) for choice in longer]
    assert totals == sorted(totals, reverse=True)  # a greedy choice never gains more later
    shorter = choose(tasks, CandidateGrid(SQUARE), 3)
    assert [choice.run_id for choice in shorter] == [choice.run_id for choice in longer[:3]]
    _assert_plain_greedy(tasks, evidence, longer)


def _assert_plain_greedy(tasks, evidence, choices):
    """Computes the greedy choice from all candidates at every step; no task has over 20 trials."""
    points = np.array([[trial.configuration["x"], trial.configuration["y"]] for trial in evidence])
    losses = []
    for task in tasks:
        scores = task.predict(points)
        losses.append(np.clip(1 + scores / np.maximum(-scores.min(axis=0), 0.2), 0, 1))
    runs = [trial.run_id for trial in evidence]
    taken = []
    for choice in choices:
        volumes = [
            np.mean([pareto.hypervolume(rows[[*taken, index]], [1.0, 1.0]) for rows in losses])
            for index in range(len(runs))
        ]
        index = runs.index(choice.run_id)
        # Sums of the same numbers in another order: equal to rounding.
        assert volumes[index] == pytest.approx(max(volumes), abs=1e-9)
        taken.append(index)


def test_no_history_no_portfolio_and_no_more_than_there_is():
    assert choose([], CandidateGrid(LINE), 5) == []
    assert chosen(on_line("a", distance_from(0.5), 3), 0) == []
    assert len(chosen(on_line("a", distance_from(0.5), 3), 9)) == 3


def test_a_missing_hyperparameter_is_filled_in():
    choices = chosen(on_line("a", distance_from(0.5)), 3, space=SQUARE)
    assert all(SQUARE.contains(choice.configuration) for choice in choices)


def test_a_configuration_outside_the_space_enters_at_its_edge():
    evidence = [
        *on_line("a", distance_from(1.0), 5),
        prior_trial("a", "beyond", "complete", {"x": 1.6}, (-1.0,), False),
    ]
    assert all(LINE.contains(choice.configuration) for choice in chosen(evidence, 6))


def test_an_objective_that_is_the_same_everywhere_does_not_hide_the_other():
    choices = chosen(on_line("a", lambda x: (abs(x - 0.7), 3.0)), 1, ["minimize"] * 2)
    assert places(choices) == pytest.approx([0.7], abs=0.051)  # or its neighbour


# The source.


def portfolio(size, reserve=0):
    return Portfolio(modelled(on_line("a", distance_from(0.5))), CandidateGrid(LINE), size, reserve)


def handed_out(source, ended, running=0):
    """Returns the trials of all configurations that the source proposes after given trials."""
    trials = [*ended]
    for _ in range(running):
        proposal = source.propose(context(trials, LINE))
        if proposal is None:
            break
        trials.append(own_trial(len(trials), "running", proposal.configuration))
    return trials[len(ended) :]


def test_what_was_tried_is_skipped():
    source = portfolio(2)
    first, second = handed_out(source, [], running=5)
    assert [first.configuration, second.configuration] == [
        choice.configuration for choice in source.choices
    ]
    assert first.configuration != second.configuration


def test_the_reserve_is_used_only_while_fewer_than_size_trials_have_ended():
    source = portfolio(2, reserve=4)
    assert len(handed_out(source, [], running=9)) == 6
    # At configurations that are not in the portfolio.
    ended = [
        own_trial(number, "complete", {"x": 0.011 * (number + 1)}, (1.0,)) for number in range(3)
    ]
    assert len(handed_out(source, ended[:1], running=9)) == 6
    assert len(handed_out(source, ended[:2], running=9)) == 2
    assert len(handed_out(source, ended, running=9)) == 2


@pytest.mark.parametrize(("state", "counts"), [("stopped", True), ("failed", False)])
def test_a_stopped_trial_has_ended_and_a_failed_one_leaves_the_reserve_open(state, counts):
    source = portfolio(1, reserve=1)
    ended = [own_trial(0, state, {"x": 0.011})]
    assert len(handed_out(source, ended, running=9)) == (1 if counts else 2)


def test_a_proposal_names_its_run_and_the_tasks_that_gain_by_it():
    tasks = modelled([*on_line("a", distance_from(0.2)), *on_line("b", distance_from(0.2))])
    made = Portfolio(tasks, CandidateGrid(LINE), 1).propose(context([], LINE)).origin
    assert made["step"] == "portfolio"
    assert made["source_runs"][0] in {trial.run_id for task in tasks for trial in task.trials}
    assert made["source_tasks"] == pytest.approx({"a": 0.5, "b": 0.5})  # the tasks are equal
    assert made["prior_trials"] == 42


def test_a_choice_that_no_task_gains_by_is_recorded_for_the_task_of_its_run():
    # One task: its best comes first, and what comes after gains nothing.
    tasks = modelled(on_line("a", distance_from(0.5)))
    source = Portfolio(tasks, CandidateGrid(LINE), 3)
    last = handed_out(source, [], running=2)
    assert not any(source.choices[2].gains.values())
    made = source.propose(context(last, LINE)).origin
    assert made["source_tasks"] == {"a": 1.0}


def under_a_bound(bound, loss=lambda x: x):
    """Trials on a line whose x must be at least the bound."""
    return [
        replace(trial, constraints={"bound": bound - trial.configuration["x"]})
        for trial in on_line("a", loss)
    ]


def test_the_portfolio_has_only_configurations_that_are_predicted_to_be_feasible():
    # The smallest x is best, and those below 0.5 are out; trials are 0.05 apart.
    assert places(chosen(under_a_bound(0.5), 1)) == pytest.approx([0.5], abs=0.051)


def test_where_no_earlier_trial_was_feasible_the_nearest_comes_first():
    assert places(chosen(under_a_bound(3.0), 1)) == pytest.approx([1.0], abs=0.051)

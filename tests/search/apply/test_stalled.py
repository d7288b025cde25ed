"""Turns: who proposes while a search does not improve."""

from __future__ import annotations

import numpy as np
import pytest

from search.apply.candidate_grid import CandidateGrid
from search.apply.own_data import observed_data
from search.apply.proposal_source import Proposal
from search.apply.stalled import PATIENCE, EarlierBests, Turns, stalled_for
from tests.support.earlier_tasks import (
    LINE,
    SQUARE,
    at_random,
    context,
    modelled,
    on_line,
    own_trial,
)

GRID = CandidateGrid(LINE)


def tried(*pairs, state="complete"):
    """Makes trials of this search on the line from places and values."""
    return [
        own_trial(number, state if value is None else "complete", {"x": x},
                  () if value is None else np.atleast_1d(value).tolist())
        for number, (x, value) in enumerate(pairs)
    ]  # fmt: skip


def waited(trials, directions=("minimize",)):
    given = context(trials, LINE, directions=directions)
    return stalled_for(given, observed_data(given, (), LINE))


def test_trials_since_the_last_improvement_count_those_that_still_run():
    assert waited(tried((0.1, 3.0), (0.2, 2.0))) == 0
    assert waited(tried((0.1, 3.0), (0.2, 2.0), (0.3, 2.5))) == 1
    assert waited(tried((0.1, 3.0), (0.2, 2.0), (0.3, 2.5), (0.4, None), state="running")) == 2


def test_a_trial_that_equals_the_best_is_no_improvement():
    assert waited(tried((0.1, 2.0), (0.2, 2.0))) == 1


def test_a_trial_that_was_stopped_is_no_improvement():
    assert waited(tried((0.1, 2.0), (0.2, None), state="stopped")) == 1


def test_with_two_objectives_a_new_point_of_the_front_is_an_improvement():
    both = ("minimize", "maximize")
    trials = tried((0.1, (2.0, 0.5)), (0.2, (3.0, 0.9)))
    assert waited(trials, both) == 0
    worse = own_trial(2, "complete", {"x": 0.3}, (3.5, 0.8))
    assert waited([*trials, worse], both) == 1


def earlier(**best):
    """Models tasks by name whose loss is the distance from a place."""
    lines = [on_line(name, lambda x, p=place: abs(x - p)) for name, place in best.items()]
    return modelled([trial for line in lines for trial in line])


def test_the_best_of_each_earlier_task_comes_once_and_nothing_afterwards():
    bests, trials = EarlierBests(earlier(a=0.2, b=0.9), GRID), []
    while (proposal := bests.propose(context(trials, LINE))) is not None:
        trials.append(own_trial(len(trials), "failed", proposal.configuration))
    assert sorted(trial.configuration["x"] for trial in trials) == pytest.approx([0.2, 0.9])


def test_what_is_near_a_configuration_of_this_search_is_left_out():
    bests = EarlierBests(earlier(a=0.2, b=0.9), GRID)
    proposal = bests.propose(context(tried((0.25, 1.0)), LINE))
    assert proposal.configuration["x"] == pytest.approx(0.9)
    assert proposal.origin["step"] == "earlier-best"
    assert proposal.origin["source_tasks"] == {"b": 1.0}
    assert proposal.origin["source_runs"] == ["b/0.900"]


def test_the_best_of_a_task_that_contradicts_the_results_here_is_not_tried():
    bests = EarlierBests(earlier(a=0.0), GRID)
    falling = tried((0.3, 0.7), (0.5, 0.5), (0.6, 0.4), (0.7, 0.3))
    # Three results are in this order by chance one time in six, both ways one in three.
    assert bests.propose(context(falling[:3], LINE)) is not None
    assert bests.propose(context(falling, LINE)) is None


def test_what_an_earlier_task_had_among_its_best_is_known_to_come_from_history():
    bests = EarlierBests(earlier(a=0.0), GRID)
    assert bests.holds({"x": 0.05})
    assert not bests.holds({"x": 0.06})


def test_a_task_that_agrees_with_the_results_here_comes_first():
    bests = EarlierBests(earlier(a=0.0, b=1.0), GRID)
    falling = tried((0.3, 0.7), (0.5, 0.5), (0.7, 0.3))
    assert bests.propose(context(falling, LINE)).configuration["x"] == pytest.approx(1.0)
    rising = tried((0.3, 0.3), (0.5, 0.5), (0.7, 0.7))
    assert bests.propose(context(rising, LINE)).configuration["x"] == pytest.approx(0.0)


def test_with_two_objectives_both_ends_of_an_earlier_front_have_a_turn():
    tasks = modelled(
        at_random("a", lambda x, y: (x + y, 2 - x - y), 40), SQUARE, ("minimize", "minimize")
    )
    bests, trials = EarlierBests(tasks, CandidateGrid(SQUARE)), []
    while (proposal := bests.propose(context(trials, directions=["minimize"] * 2))) is not None:
        trials.append(own_trial(len(trials), "failed", proposal.configuration))
    sums = sorted(sum(trial.configuration.values()) for trial in trials)
    assert len(sums) == 2
    assert sums[1] - sums[0] > 1.0


def has_turn(*pairs, task="a", **others):
    """Whether the bests have the turn after trials; those of the task are at 0.1, 0.15 and 0.05."""
    bests = EarlierBests(earlier(**({task: 0.1} | others)), GRID)
    given = context(tried(*pairs, state="running"), LINE)
    return bests.have_turn(given, observed_data(given, (), LINE))


def test_bests_go_on_while_each_is_in_the_better_half_of_all_results_up_to_its_own():
    assert has_turn((0.1, 3.0))
    assert has_turn((0.7, 3.0), (0.1, 2.0))
    assert not has_turn((0.7, 2.0), (0.1, 3.0))
    assert has_turn((0.7, 2.0), (0.8, 4.0), (0.1, 3.0))


def test_after_bests_that_turned_out_badly_others_come_first_each_time_twice_as_many():
    bad, other = (0.1, 9.0), (0.7, 1.0)
    once = [other, bad]
    assert has_turn(*once, other)
    twice = [*once, other, bad]
    assert not has_turn(*twice, *[other] * 2)
    assert has_turn(*twice, *[other] * 3)
    thrice = [*twice, *[other] * 3, bad]
    assert not has_turn(*thrice, *[other] * 6)
    assert has_turn(*thrice, *[other] * 7)


def test_a_good_one_makes_up_for_those_before():
    bad, other = (0.1, 9.0), (0.7, 1.0)
    assert has_turn(other, bad, other, bad, (0.1, 0.5))


def test_bests_that_run_are_not_followed_by_another():
    assert not has_turn((0.7, 3.0), (0.1, None))
    assert has_turn((0.7, 3.0), (0.1, None), (0.7, None))


class Named:
    """A source that proposes its name."""

    def __init__(self, name, has_any=True, has_turn=True):
        self.name, self.has_any, self.has_turn = name, has_any, has_turn

    def have_turn(self, _, data):
        return self.has_turn

    def propose(self, _):
        return Proposal({"x": 0.5}, {"step": self.name}) if self.has_any else None


def turn(trials, has_bests=True):
    sources = Named("model"), Named("bests", has_bests), Named("alone")
    made = Turns(*sources, GRID).propose(context(trials, LINE)).origin
    return made["step"]


def waiting(count, best=0.1):
    return tried((best, 1.0), *((0.2, 2.0) for _ in range(count)))


def test_the_bests_come_when_it_is_their_turn_and_otherwise_the_model():
    assert turn(waiting(1)) == "bests"
    waits = Named("model"), Named("bests", has_turn=False), Named("alone")
    made = Turns(*waits, GRID).propose(context(waiting(1), LINE))
    assert made.origin == {"step": "model"}


def test_after_long_without_an_improvement_the_model_without_history_has_every_fourth_turn():
    # The trial to propose for has the number count + 1.
    steps = [turn(waiting(count), has_bests=False) for count in range(PATIENCE + 6)]
    assert steps == ["model"] * 8 + ["alone"] + ["model"] * 3


def test_the_model_has_the_turn_of_a_source_that_has_nothing_left():
    assert turn(waiting(1), has_bests=False) == "model"


def test_whose_turn_it_was_and_why_is_part_of_the_origin():
    sources = Named("model"), Named("bests"), Named("alone")
    turns = Turns(*sources, GRID)
    assert "takes turns" in turns.propose(context(waiting(1), LINE)).origin["reason"]
    none_left = Turns(Named("model"), Named("bests", has_any=False), Named("alone"), GRID)
    assert "8 trials" in none_left.propose(context(waiting(8), LINE)).origin["reason"]


def test_without_a_result_the_model_is_asked():
    assert turn([]) == "model"

"""What is called best under roles: in words, in the report, in pictures and in the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.history import History
from search.objectives import Objective
from search.objectives.objective import PARETO, Role
from search.report.markdown import Stored
from search.report.pareto_plot import draw_pareto
from search.report.plots import draw_history
from search.report.report import write_report
from search.transfer.best import best_trials
from search.transfer.control_arm import compare_arms
from search.transfer.objective_text import best_in_words, none_keeps, objectives_in_words
from search.transfer.progress import compared, counted_losses, progress_of, trials_of
from search.transfer.verdict import verdict
from tests.support.plots import png_of
from tests.support.synthetic_history import (
    CLEAN,
    ROBUST,
    START,
    history,
    row,
    search,
)

AT_LEAST = (PARETO, Role("constraint", bound=0.80))
WITHIN = (PARETO, Role("lexicographic", tolerance=0.01))
REPORT = (PARETO, Role("report"))
LATER = START + timedelta(hours=1)


def under(roles: tuple[Role, ...], *values: list[float], **changes: Any) -> History:
    rows = [row(number, each) for number, each in enumerate(values)]
    return history(rows, [search(roles=roles, **changes)])


def numbers(known: History) -> list[int]:
    return [each.number for each in best_trials(known, "cold")]


@pytest.mark.parametrize(
    "roles, word, objectives",
    [
        ((), "Pareto front", f"maximize {CLEAN}, maximize {ROBUST}"),
        (AT_LEAST, f"Best by {CLEAN} under {ROBUST} >= 0.80",
         f"maximize {CLEAN}, keep {ROBUST} >= 0.80"),
        (WITHIN, f"Best by {ROBUST} within 0.01 of the best {CLEAN}",
         f"maximize {CLEAN}, maximize {ROBUST} within 0.01 of the best {CLEAN}"),
        (REPORT, f"Best by {CLEAN}", f"maximize {CLEAN}, report {ROBUST}"),
    ],
)  # fmt: skip
def test_a_heading_says_what_is_called_best(roles, word, objectives) -> None:
    assert best_in_words(search(roles=roles)) == word
    assert objectives_in_words(search(roles=roles)) == objectives


def test_several_roles_are_said_in_one_heading() -> None:
    limit = Role("constraint", bound=30.0)
    clean, robust = Objective(CLEAN, "maximize"), Objective(ROBUST, "maximize")
    seconds = Objective("seconds", "minimize", limit)
    known = search(objectives=(clean, robust, seconds))
    assert best_in_words(known) == f"Pareto front of {CLEAN} and {ROBUST} under seconds <= 30"
    known = search(objectives=(clean, replace(robust, role=WITHIN[1]), seconds))
    assert best_in_words(known) == (
        f"Best by {ROBUST} under seconds <= 30 within 0.01 of the best {CLEAN}"
    )


def test_one_objective_is_best_and_no_front() -> None:
    goal: dict[str, Any] = {"objectives": (Objective("loss", "minimize"),)}
    assert best_in_words(search(**goal)) == "Best"


def test_best_follows_the_roles() -> None:
    values = [[0.99, 0.70], [0.985, 0.75], [0.95, 0.85], [0.90, 0.95]]
    assert numbers(under((), *values)) == [0, 1, 2, 3]
    assert numbers(under(AT_LEAST, *values)) == [2]
    assert numbers(under(WITHIN, *values)) == [1]
    assert numbers(under(REPORT, *values)) == [0]


def test_where_no_trial_keeps_the_bound_that_is_said() -> None:
    known = under(AT_LEAST, [0.99, 0.60], [0.90, 0.77])
    (best,) = best_trials(known, "cold")
    assert best.number == 1
    assert none_keeps(known.searches["cold"], [best]) == (
        f"No complete trial keeps {ROBUST} >= 0.80. The closest misses it by 0.03."
    )
    kept = best_trials(under(AT_LEAST, [0.9, 0.85], [0.8, 0.6]), "cold")
    assert kept and none_keeps(known.searches["cold"], kept) == ""
    assert none_keeps(known.searches["cold"], []) == ""


def test_what_misses_a_bound_adds_nothing_to_progress() -> None:
    known = under(AT_LEAST, [0.99, 0.60], [0.50, 0.85], [0.60, 0.90], [0.55, 0.99])
    trials = trials_of(known, "cold")
    (losses,) = counted_losses([trials], known.searches["cold"])
    found = progress_of(trials, losses, np.array([-0.40]))
    # By hand: how far the best clean value that keeps the bound is above 0.4.
    assert found.levels == pytest.approx((0.0, 0.1, 0.2, 0.2))


def test_only_what_is_within_the_tolerance_of_all_searches_counts() -> None:
    known = under(WITHIN, [0.90, 0.9], [0.98, 0.5], [0.975, 0.6])
    trials = trials_of(known, "cold")
    rows = counted_losses([trials[:1], trials[1:]], known.searches["cold"])
    assert rows[0] == [None]
    assert [row.tolist() for row in rows[1] if row is not None] == [[-0.5], [-0.6]]


def both(cold: list[list[float]], this: list[list[float]], roles: tuple[Role, ...]) -> History:
    rows = [row(number, each) for number, each in enumerate(cold)]
    rows += [row(number, each, search="this") for number, each in enumerate(this)]
    return history(rows, [search(), search("this", roles=roles, warm=True, started=LATER)])


def test_a_cold_search_is_judged_by_the_roles_of_this_one() -> None:
    cold = [[0.99, 0.1], [0.5, 0.9], [0.6, 0.9]]
    found = verdict(both(cold, [[0.7, 0.8]], AT_LEAST), "this")
    # The cold search had 0.6 under the bound after three trials, this one 0.7 after the first.
    assert found.trials_saved == 2
    assert found.reference == pytest.approx((-0.1,))  # a tenth below the worst share
    assert found.reference_rule.endswith(f"of those that count: under {ROBUST} >= 0.80")


def test_a_cold_search_without_a_trial_that_counts_is_no_comparison() -> None:
    known = both([[0.99, 0.1]], [[0.7, 0.8]], AT_LEAST)
    assert verdict(known, "this").comparisons == ()
    found = compared(known, known.searches["this"])
    assert found is not None and found.theirs == ()


def test_without_a_trial_that_counts_there_is_nothing_to_compare() -> None:
    found = verdict(both([[0.5, 0.9]], [[0.9, 0.7]], AT_LEAST), "this")
    assert found.sentence == (
        f"No complete trial of this search counts (under {ROBUST} >= 0.80), so there is nothing to "
        "compare."
    )
    assert verdict(under(AT_LEAST, [0.9, 0.7]), "cold").level == 0.0


def test_the_control_arm_is_compared_by_what_counts() -> None:
    control = {"origin": {"step": "control"}}
    rows = [
        row(0, [0.6, 0.9]), row(1, [0.9, 0.1], **control), row(2, [0.5, 0.9]),
        row(3, [0.6, 0.8], **control),
    ]  # fmt: skip
    known = history(rows, [search(roles=AT_LEAST)])
    arms = compare_arms(trials_of(known, "cold"), known.searches["cold"], None)
    assert arms is not None and (arms.main_reached, arms.control_reached) == (1, 2)
    nothing = history([row(0, [0.6, 0.9]), row(1, [0.9, 0.1], **control)], [search(roles=AT_LEAST)])
    assert compare_arms(trials_of(nothing, "cold"), nothing.searches["cold"], None) is None


@pytest.mark.slow
@pytest.mark.parametrize("roles", [AT_LEAST, WITHIN, REPORT], ids=lambda each: each[1].name)
def test_pictures_are_drawn_under_roles(roles, tmp_path: Path) -> None:
    known = both([[0.9, 0.7], [0.8, 0.9]], [[0.95, 0.75], [0.85, 0.85], [0.945, 0.8]], roles)
    for draw in (draw_pareto, draw_history):
        first, second = (png_of(draw(known, "this"), tmp_path) for _ in range(2))
        assert first == second


def test_without_a_trial_that_counts_no_progress_is_drawn(tmp_path: Path) -> None:
    known = under(AT_LEAST, [0.9, 0.7])
    assert png_of(draw_pareto(known, "cold"), tmp_path)
    assert draw_history(known, "cold") is None


@pytest.mark.slow
@pytest.mark.parametrize("values", [[0.9, 0.85], [0.9, 0.70]], ids=["kept", "missed"])
def test_the_report_says_by_what_is_judged_and_whether_the_bound_is_kept(
    values: list[float], tmp_path: Path
) -> None:
    known = under(AT_LEAST, values, [0.8, 0.6])
    written = write_report(known, "cold", tmp_path, Stored("name: digits\n"))
    text = (written.folder / "report.md").read_text().replace("&#62;", ">")
    assert f"\n## Best by {CLEAN} under {ROBUST} >= 0.80\n" in text
    assert f"- objectives: maximize {CLEAN}, keep {ROBUST} >= 0.80\n" in text
    assert ("**No complete trial keeps" in text) == (values[1] < 0.80)
    assert "\n| 0 | 0.9000 |" in text and "\n| 1 | 0.8000 |" not in text

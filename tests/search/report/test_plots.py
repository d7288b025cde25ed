"""Plots are drawn for any number of objectives, with the same bytes for the same history."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from search.history import History
from search.objectives.objective import from_lists
from search.report.pareto_plot import dominated_edge, draw_pareto
from search.report.plots import curve_metrics, draw_curves, draw_history, draw_importance
from search.report.style import axis_label, label_points, new_figure, short
from tests.support.plots import png_of
from tests.support.synthetic_history import (
    CHEAP,
    CLEAN,
    ROBUST,
    START,
    history,
    points,
    row,
    rows_of_random_search,
    search,
)

WARM = history(
    rows_of_random_search("cold", 12, 1) + rows_of_random_search("this", 12, 2),
    [search(), search("this", warm=True, started=START + timedelta(hours=1))],
)
DRAWERS = [draw_pareto, draw_history, draw_curves]


def objectives(number: int, values: list[list[float]]) -> History:
    names = tuple(f"metric_{index}" for index in range(number))
    directions = ("minimize", "maximize", "minimize")[:number]
    rows = [
        row(n, each[:number], objectives=[*names], directions=[*directions],
            curves=points("metric_0", {1: 0.1, 2: 0.2}))
        for n, each in enumerate(values)
    ]  # fmt: skip
    return history(rows, [search(objectives=from_lists(names, directions))])


@pytest.mark.slow
@pytest.mark.parametrize("draw", DRAWERS)
def test_a_plot_is_a_png_and_the_same_for_the_same_history(draw, tmp_path: Path) -> None:
    first, second = (png_of(draw(WARM, "this"), tmp_path) for _ in range(2))
    assert first[:4] == b"\x89PNG" and first == second


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_two_and_three_objectives_are_drawn(number: int, tmp_path: Path) -> None:
    known = objectives(number, [[1.0, 2.0, 3.0], [2.0, 3.0, 1.0], [1.5, 1.0, 2.0]])
    assert png_of(draw_pareto(known, "cold"), tmp_path)
    assert png_of(draw_history(known, "cold"), tmp_path)


@pytest.mark.slow
def test_a_single_trial_is_drawn(tmp_path: Path) -> None:
    known = objectives(2, [[1.0, 2.0]])
    assert all(png_of(draw(known, "cold"), tmp_path) for draw in DRAWERS)


@pytest.mark.parametrize("draw", DRAWERS)
@pytest.mark.parametrize("states", [[], ["failed"], ["failed", "interrupted"]])
def test_nothing_to_show_is_no_figure(draw, states: list[str]) -> None:
    rows = [row(number, [], state=state) for number, state in enumerate(states)]
    assert draw(history(rows, [search()]), "cold") is None
    assert draw_importance({CLEAN: {}}, "cold") is None


def test_names_with_formula_signs_and_line_breaks_are_drawn_as_text(tmp_path: Path) -> None:
    name = "$\\frac{$ a\nb_{" + "x" * 200
    assert png_of(draw_importance({name: {name: 0.5, "$x": 0.5}}, name), tmp_path)
    assert short("a\n$b") == r"a \$b" and len(short("x" * 100)) == 40
    assert axis_label("loss", "minimize") == "loss (lower is better)"


@pytest.mark.parametrize(("keeps", "others"), [(False, "1 trial"), (True, "2 trials")])
def test_earlier_trials_in_doubt_are_drawn_only_where_the_search_keeps_such(
    keeps: bool, others: str
) -> None:
    jumps = points("robustness.jumps", {5: 0.5})
    rows = [
        row(0, [0.5, 0.5]), row(1, [0.5, 0.9], curves=jumps),
        row(0, [0.6, 0.6], search="this", curves=jumps if keeps else []),
    ]  # fmt: skip
    this = search("this", started=START + timedelta(hours=1))
    figure = draw_pareto(history(rows, [search(), this]), "this")
    assert figure is not None
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert f"earlier searches ({others})" in texts


NOTHING = np.empty((0, 2))


def test_labels_never_cover_each_other() -> None:
    figure, (axes,) = new_figure("crowded")
    x = np.linspace(0.50, 0.53, 12)
    axes.plot([0, 1], [0, 1])
    label_points(figure, axes, x, x, [f"number {index}" for index in range(12)], NOTHING)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert boxes
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_points_at_the_same_place_share_a_label() -> None:
    figure, (axes,) = new_figure("two at once")
    axes.plot([0, 1], [0, 1])
    x = np.array([0.5, 0.5, 0.2, np.nan])
    label_points(figure, axes, x, x, ["3", "7", "9", "without a test value"], NOTHING)
    assert [text.get_text() for text in axes.texts] == ["3, 7", "9"]


@pytest.mark.parametrize(
    ("directions", "corner"),
    [(("maximize", "maximize"), [1.0, 2.0]), (("minimize", "minimize"), [3.0, 4.0])],
)
def test_the_front_is_joined_through_what_both_neighbours_dominate(
    directions: tuple[str, str], corner: list[float]
) -> None:
    this = search(objectives=from_lists(("a", "b"), directions))
    edge = dominated_edge(this, np.array([3.0, 1.0]), np.array([2.0, 4.0]))
    assert edge.tolist() == [[1.0, 4.0], corner, [3.0, 2.0]]


@pytest.mark.slow
def test_the_best_trials_are_also_drawn_on_the_test_split(tmp_path: Path) -> None:
    tested = {f"test.{CLEAN}": 0.8, f"test.{ROBUST}": 0.4, "test.examples": 100.0}
    curves = [each for name, value in tested.items() for each in points(name, {5: value})]
    rows = [row(0, [0.9, 0.5]), row(1, [0.8, 0.6], curves=curves)]
    # The second trial alone has test values.
    panels = [
        len(figure.axes)
        for number in (1, 2)
        if (figure := draw_pareto(history(rows[:number], [search()]), "cold"))
    ]
    assert panels == [1, 2]
    alone = [row(0, [0.9], objectives=[CLEAN], curves=curves)]
    one = history(alone, [search(objectives=from_lists([CLEAN], ["maximize"]))])
    assert png_of(draw_pareto(one, "cold"), tmp_path)


def test_curves_of_images_are_those_of_the_part_that_picks_the_epoch() -> None:
    cheap = "selection.accuracy.pgd3_linf_0.1"
    curves = [
        *points(f"selection.{CLEAN}", {1: 0.1, 2: 0.2}), *points(cheap, {1: 0.1, 2: 0.2}),
        *points(CLEAN, {2: 0.2}), *points(ROBUST, {2: 0.2}),
    ]  # fmt: skip
    trials = history([row(0, [0.2, 0.2], curves=curves)], [search()]).prior_trials()
    assert curve_metrics(trials, (CLEAN, ROBUST)) == [f"selection.{CLEAN}", cheap]


def test_curves_show_the_first_objective_and_the_cheap_robustness() -> None:
    trials = WARM.prior_trials(state=None, search="this")
    assert curve_metrics(trials, (CLEAN, ROBUST)) == [CLEAN, CHEAP]
    assert curve_metrics([], (CLEAN, ROBUST)) == []
    (trial,) = history([row(0, [0.9], curves=points(ROBUST, {5: 0.1}))]).prior_trials()
    assert curve_metrics([trial], (CLEAN, ROBUST)) == []

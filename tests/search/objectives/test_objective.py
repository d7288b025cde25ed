"""Objective: refuses what contradicts itself, and comes back whole from lists and stores."""

from __future__ import annotations

import pytest

from search.objectives.objective import (
    PARETO,
    UNKNOWN,
    Objective,
    Role,
    checked,
    directions_of,
    from_lists,
    from_row,
    to_json,
    to_row,
    value_text,
)

NAN = float("nan")
AT_LEAST = Role("constraint", bound=0.80)
WITHIN = Role("lexicographic", tolerance=0.01)
REPORT = Role("report")
CLEAN, LOSS = Objective("clean", "maximize"), Objective("loss", "minimize")


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"name": "first"}, "none of pareto, constraint"),
        ({"name": "constraint"}, "bound"),
        ({"name": "pareto", "bound": 1.0}, "only constraint has a bound"),
        ({"name": "report", "tolerance": 1.0}, "only lexicographic has a tolerance"),
        ({"name": "lexicographic", "tolerance": -0.1}, "0 or more"),
        ({"name": "constraint", "bound": NAN}, "finite"),
    ],
)
def test_a_role_that_contradicts_itself_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Role(**wrong)


def test_a_direction_is_minimize_or_maximize():
    with pytest.raises(ValueError, match="'max' is neither"):
        Objective("clean", "max")
    assert (CLEAN.is_maximized, LOSS.is_maximized) == (True, False)
    assert directions_of([CLEAN, LOSS]) == ["maximize", "minimize"]
    with pytest.raises(ValueError, match="direction of 'clean' is unknown"):
        directions_of([Objective("clean", UNKNOWN)])


def test_incompatible_roles_are_refused():
    with pytest.raises(ValueError, match="first objective must be pareto"):
        checked([Objective("clean", "maximize", REPORT), LOSS])
    with pytest.raises(ValueError, match="two lexicographic"):
        checked([CLEAN, *(Objective(name, "minimize", WITHIN) for name in "ab")])


def test_names_and_directions_become_objectives():
    assert from_lists(["clean", "loss"], ["maximize", "minimize"]) == (CLEAN, LOSS)
    assert from_lists(["a"]) == (Objective("a", UNKNOWN),)
    assert from_lists(["clean", "b"], ["maximize"] * 2, [PARETO, REPORT])[1].role == REPORT


def test_objectives_stay_as_they_are():
    assert from_lists([CLEAN, LOSS]) == (CLEAN, LOSS)


@pytest.mark.parametrize(
    "given, said",
    [
        ((["a"], ["minimize", "minimize"]), "differ: 1, 2 and 1"),
        ((["a", "b", "c"], ["minimize"] * 3, [PARETO, REPORT]), "differ: 3, 3 and 2"),
        (([CLEAN], ["maximize"]), "an Objective has its own direction"),
        (([CLEAN, "b"],), "an Objective has its own direction"),
    ],
)
def test_lists_of_different_lengths_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        from_lists(*given)


@pytest.mark.parametrize("second", [AT_LEAST, WITHIN, REPORT])
def test_objectives_survive_a_store(second):
    goals = (CLEAN, Objective("loss", "minimize", second))
    assert from_row(to_row(goals)) == goals


def test_a_store_has_three_columns_and_no_roles_if_all_are_pareto():
    assert to_row((CLEAN, LOSS)) == {
        "objectives": ["clean", "loss"], "directions": ["maximize", "minimize"],
        "roles_json": None,
    }  # fmt: skip
    bounded = (CLEAN, Objective("loss", "minimize", AT_LEAST))
    assert to_row(bounded)["roles_json"] == (
        '[{"name": "pareto"}, {"name": "constraint", "bound": 0.8}]'
    )
    assert to_row(bounded)["roles_json"] == to_json((PARETO, AT_LEAST))


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "3", '[{"name": "no"}]', '[{"name": "pareto"}, 5]', '[{"nme": "pareto"}]',
     '[{"name": "pareto"}]', '[{"name": "report"}, {"name": "pareto"}]', "[" * 100_000,
     '[{"name": "pareto"}, {"name": "constraint", "bound": "0.8"}]',
     '[{"name": "pareto"}, {"name": "constraint", "bound": true}]'],
)  # fmt: skip
def test_illegal_roles_in_a_store_are_read_as_pareto(text):
    row = {"objectives": ["clean", "loss"], "directions": ["maximize", "minimize"]}
    assert from_row(row | {"roles_json": text}) == (CLEAN, LOSS)


def test_a_direction_that_a_store_lacks_is_unknown():
    row = {"objectives": ["a", "b", "c"], "directions": ["up", "minimize"]}
    assert [each.direction for each in from_row(row)] == [UNKNOWN, "minimize", UNKNOWN]
    assert from_row({"objectives": None, "directions": None}) == ()


def test_a_value_has_four_decimals_below_ten_and_two_above() -> None:
    texts = [value_text(each) for each in (0.98666, 2.5e-5, -3.0, 23.4567, 38662.0, float("nan"))]
    assert texts == ["0.9867", "2.5e-05", "-3.0000", "23.46", "38662.00", ""]


def test_a_text_in_place_of_a_list_is_refused() -> None:
    """Its letters would be metrics."""
    with pytest.raises(ValueError, match=r"^objectives is a text, 'acc'; fix: a list, \['acc'\]"):
        from_lists("acc")
    with pytest.raises(ValueError, match=r"^directions is a text, 'minimize'; fix: "):
        from_lists(["loss"], "minimize")

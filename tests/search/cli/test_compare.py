"""What `compare` prints and returns for searches next to each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.cli.compare import as_document
from search.cli.compare_text import lines
from search.cli.compared_searches import Column, differing, space_texts
from search.history import History
from search.objectives.objective import Role, from_lists
from search.space import SearchSpace
from search.tracking.summary import Summary
from search.transfer.best import best_trials
from search.transfer.costs import Cost
from search.transfer.totals import totals
from tests.support.synthetic_history import CLEAN, ROBUST, SPACE, START, TASK, history, row, search

CPU = Cost(1.0, "core")
OTHER_SPACE = SearchSpace.from_distributions(
    {
        "optimizer": CategoricalDistribution(("sgd", "adamw")),
        "width": IntDistribution(16, 64, step=16),
        "dropout": FloatDistribution(0.0, 0.4),
        "sgd.learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "adamw.learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    },
    {"sgd.learning_rate": {"optimizer": ("sgd",)}},
)


def columns_of(known: History, cost: Cost | None = CPU, **names: str) -> list[Column]:
    """Returns the columns of all searches; `names` are those that people gave them."""
    return [
        Column(
            known,
            Summary(
                search=each.id, name=names.get(each.id, each.id), run_id="r", experiment_id="1",
                task=each.task, state=each.state, generation=1, spec_yaml="", storage=Path("/s"),
                trials_budget=each.trials_budget, warm_started_from=("x",) * each.warm,
                environment={}, tags={},
            ),
            each, totals(known, each.id, cost), best_trials(known, each.id),
        )
        for each in known.searches.values()
    ]  # fmt: skip


def two(**changes: Any) -> History:
    """A cold search with two best trials, and a later one, changed, that is better in one."""
    rows = [row(0, [0.5, 0.5]), row(1, [0.7, 0.4]), row(2, state="stopped", epoch=2)]
    rows += [row(0, [0.9866, 0.4], search="later", task=changes.get("task", TASK))]
    later = search("later", started=START + timedelta(days=1), warm=True, **changes)
    return history(rows, [search(), later])


def text_of(known: History, width: int = 80, **names: str) -> str:
    found = lines(columns_of(known, **names), width)
    assert all(len(line) <= width for line in found), max(found, key=len)
    assert all(line == line.rstrip() for line in found)
    return "\n".join(found)


def test_the_numbers_stand_under_each_other_and_are_those_of_the_totals() -> None:
    text = text_of(two())
    for line in (
        "A  cold",
        "   complete, 3 of 20 trials of 5 epochs, seed 1, cold",
        "   complete, 1 of 20 trials of 5 epochs, seed 1, learned from 1 search",
        f"task {TASK}",
        "                                          A        B",
        "accuracy.clean (maximize)            0.7000   0.9866",
        "accuracy.pgd10_linf_0.1 (maximize)   0.5000   0.4000",
        "best trials                               2        1",
        # From (-0.1, -0.1): .8 * .5 + .6 * .1, and 1.0866 * .5; together 1.0866 * .5 + .6 * .1.
        "hypervolume                          0.4600   0.5433",
        "  share of the best known             76.2%    90.1%",
        "trials complete                           2        1",
        "trials stopped                            1        0",
        "epochs                                   12        5",
        "wall time (s)                          30.0     10.0",
        "core-hours                           0.0083   0.0028",
    ):
        assert line in text.splitlines(), f"{line!r} is not in\n{text}"


def test_the_best_trials_stand_next_to_each_other() -> None:
    *_, head, letters, first, second = text_of(two()).splitlines()
    assert head == "best trials, and their accuracy.clean, accuracy.pgd10_linf_0.1:"
    assert letters == "A                       B"
    assert first == "#1     0.7000  0.4000   #0     0.9866  0.4000"
    assert second == "#0     0.5000  0.5000"


def test_of_a_long_front_the_first_are_shown_and_the_others_counted() -> None:
    rows = [row(number, [0.5 + number / 100, 0.9 - number / 100]) for number in range(12)]
    text = text_of(
        history([*rows, row(0, [0.1, 0.1], search="later")], [search(), search("later")])
    )
    assert "#11    0.6100  0.7900" in text and "#1 " not in text and "and 2 others" in text


def test_of_the_spaces_only_what_differs_is_shown() -> None:
    found = text_of(two(space=OTHER_SPACE)).splitlines()
    assert found[-18:-3] == [
        "space: the same for 2 hyperparameters, different for 4:",
        "  width",
        "    A   8..64, whole",
        "    B   16..64, whole, in steps of 16",
        "  adversarial_share",
        "    A   0..1",
        "    B   not searched",
        "  adamw.learning_rate",
        "    A   0.0001..0.1 (log), when optimizer in {adamw}",
        "    B   0.0001..0.1 (log)",
        "  dropout",
        "    A   not searched",
        "    B   0..0.4",
        "",
        "best trials, and their accuracy.clean, accuracy.pgd10_linf_0.1:",
    ]
    assert "space: the same in all, 5 hyperparameters" in text_of(two(space=SPACE))


def of_code(model: str, name: str) -> Column:
    """Returns a column of a search with hyperparameters of a network of the user's."""
    space = SearchSpace.from_distributions(
        {"model.depth": IntDistribution(1, 4), "learning_rate": FloatDistribution(0.01, 1.0)}
    )
    known = search(name, space=space, fingerprint={"model": model, "objectives": []})
    (column,) = columns_of(history([row(0, [0.5, 0.5], search=name)], [known]))
    return column


def test_a_hyperparameter_of_other_code_is_not_the_same_though_its_range_is() -> None:
    wide, deep = of_code("python:nets:wide", "a"), of_code("python:nets:deep", "b")
    assert space_texts([wide, of_code("python:nets:wide", "c")]) == {
        "model.depth": ["1..4, whole"] * 2, "learning_rate": ["0.01..1"] * 2,
    }  # fmt: skip
    assert space_texts([wide, deep]) == {
        "model.depth": ["1..4, whole (of python:nets:wide)", "1..4, whole (of python:nets:deep)"],
        "learning_rate": ["0.01..1"] * 2,
    }
    assert "space: the same for 1 hyperparameter, different for 1:" in lines([wide, deep], 80)


def test_all_hyperparameters_of_another_training_function_are_other_ones() -> None:
    first, second = (
        replace(each, summary=replace(each.summary, spec_yaml="task: {train: of it}"))
        for each in (of_code("python:a:train", "a"), of_code("python:b:train", "b"))
    )
    for mine, theirs in space_texts([first, second]).values():
        assert mine is not None and mine.endswith(" (of python:a:train)")
        assert theirs is not None and theirs.endswith(" (of python:b:train)")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"task": "other@1"}, "tasks"),
        ({"objectives": from_lists((CLEAN, ROBUST), ("maximize", "minimize"))}, "objectives"),
        ({"roles": (Role(), Role("constraint", bound=0.45))}, "objectives"),
    ],
)
def test_values_of_other_tasks_or_objectives_are_not_called_comparable(
    changes: dict[str, Any], what: str
) -> None:
    columns = columns_of(two(**changes))
    assert differing(columns) == what
    text = text_of(two(**changes))
    said = " ".join(text.split())
    assert f"These searches have different {what}, so their values do not compare" in said
    assert "hypervolume " not in text and "share" not in text
    document = as_document(columns)
    assert not document.is_comparable and document.differing == what
    assert all(each.hypervolume is each.share_of_best_known is None for each in document.searches)


def test_an_objective_that_a_search_does_not_have_is_a_dash() -> None:
    one = {"objectives": from_lists((CLEAN,), ("maximize",))}
    text = text_of(two(**one))
    assert "accuracy.pgd10_linf_0.1 (maximize)   0.5000        -" in text
    assert "B  accuracy.clean\n" in text


def test_many_searches_go_below_each_other_and_stay_within_80_columns() -> None:
    names = [f"digits-with-a-long-name-{number}" for number in range(9)]
    rows = [row(0, [0.5, 0.25 + number / 100], search=name) for number, name in enumerate(names)]
    text = text_of(history(rows, [search(name) for name in names]))
    assert all(name in text for name in names)
    assert text.count("hypervolume") == 2 and text.count("#0 ") == 9
    narrow = text_of(history(rows, [search(name) for name in names]), width=60)
    assert narrow.count("hypervolume") == 5


def test_a_long_metric_has_a_line_of_its_own() -> None:
    metric = "accuracy.of_a_measurement_with_a_very_long_name"
    goals = {"objectives": from_lists((metric,), ("minimize",))}
    rows = [
        row(0, [value], search=name, objectives=[metric], directions=["minimize"])
        for name, value in (("cold", 9.5), ("later", 123.456))
    ]
    text = text_of(history(rows, [search(**goals), search("later", **goals)]))
    index = text.splitlines().index(f"{metric} (minimize)")
    assert text.splitlines()[index + 1].split() == ["9.50", "123.46"]  # as many decimals each


def test_searches_without_a_complete_trial_have_dashes() -> None:
    text = text_of(history([row(0, state="failed", epoch=1)], [search(), search("later")]))
    assert text.endswith("no trial is complete") and "0.0000" in text
    assert "  share of the best known                 -        -" in text


def test_a_name_that_people_gave_is_shown_next_to_the_id() -> None:
    assert "cold, called first try" in text_of(two(), cold="first try")


def test_the_document_has_the_totals_the_best_trials_and_what_differs_in_the_spaces() -> None:
    document = as_document(columns_of(two(space=OTHER_SPACE)))
    first, second = document.searches
    assert document.is_comparable and not document.differing
    assert first.hypervolume == pytest.approx(0.46) and first.search.trials["complete"] == 2
    assert second.search.best == {CLEAN: 0.9866, ROBUST: 0.4} and second.search.task == TASK
    assert first.best_trials[1] == {CLEAN: 0.7, ROBUST: 0.4}
    assert document.space_differences["dropout"] == {"cold": None, "later": "0..0.4"}
    assert "optimizer" not in document.space_differences

"""Every difference to an earlier space is a decision with a sentence."""

from __future__ import annotations

import json
from dataclasses import replace

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.review import decision_lines
from search.space import SearchSpace
from tests.support.earlier_searches import (
    SGD,
    TARGET,
    changed,
    decisions_of,
    earlier,
    reconciled,
    together,
)


def test_every_difference_of_an_earlier_space_is_a_decision() -> None:
    theirs = SearchSpace(
        {
            "optimizer": CategoricalDistribution(("sgd", "lion")),
            "width": IntDistribution(8, 256, log=True),
            "learning_rate": FloatDistribution(1e-3, 1e-2),
            "momentum": FloatDistribution(0.0, 0.9),
        },
        {"momentum": {"optimizer": ("sgd",)}},
    )
    trials = [
        {"optimizer": "sgd", "width": 128, "learning_rate": 0.01, "momentum": 0.5},
        {"optimizer": "lion", "width": 8, "learning_rate": 0.001},
    ]
    assert decision_lines(reconciled(earlier(trials, theirs)).decisions) == [
        "proposed rename: momentum in s1 looks like sgd.momentum, which is missing there: add "
        "`history.rename: {momentum: sgd.momentum}` to use it in 1 trial",
        "scale changed: width is logarithmic in s1, linear here: values are unchanged",
        "scale changed: learning_rate is linear in s1, logarithmic here: values are unchanged",
        "narrowed: width 8..256 (log) in s1, 16..64 here: 2 trials lie outside and stay in the "
        "model unchanged",
        "widened: learning_rate 0.001..0.01 in s1, 0.0001..0.1 (log) here: nothing is known "
        "outside",
        "vanished category: optimizer {lion} in s1 does not exist here: unknown in 1 trial, "
        "where the other values count",
        "new category: optimizer {adamw} is new here: never tried in s1",
        "added: sgd.momentum 0..0.9 is new here: missing in s1, unknown in 1 trial",
        "added: adamw.beta 0.8..0.999 is new here: missing in s1, unknown in 0 trials",
        "removed: momentum 0..0.9 in s1 is not searched here: ignored in 1 trial",
    ]


def test_the_same_decision_of_several_searches_has_one_line() -> None:
    wide = changed(width=IntDistribution(8, 256))
    known = together(
        earlier([SGD | {"width": 100}, SGD], wide),
        earlier([SGD | {"width": 8}], wide, "s2"),
        earlier([SGD | {"width": 8}], changed(width=IntDistribution(8, 64)), "s3"),
    )
    assert decision_lines(reconciled(known).decisions) == [
        "narrowed: width 8..256 in 2 earlier searches, 16..64 here: 2 trials lie outside and stay "
        "in the model unchanged",
        "narrowed: width 8..64 in s3, 16..64 here: 1 trial lies outside and stays in the model "
        "unchanged",
    ]


def test_a_change_with_many_variants_has_one_line() -> None:
    spaces = {f"s{high}": changed(width=IntDistribution(16, high)) for high in range(100, 105)}
    known = together(
        *(earlier([SGD | {"width": 99}], space, name) for name, space in spaces.items()),
        earlier([SGD], spaces["s104"], "again"),
    )
    assert decision_lines(reconciled(known).decisions) == [
        "narrowed: width 16..104 (and 4 other variants) in 6 earlier searches, 16..64 here: 5 "
        "trials lie outside and stay in the model unchanged"
    ]


def test_a_run_shows_what_can_be_acted_on_and_the_number_of_other_lines() -> None:
    old = {("lr" if name == "learning_rate" else name): value for name, value in SGD.items()}
    found = reconciled(together(earlier([old], None), earlier([SGD], state="running", search="s2")))
    assert [line.split(":")[0] for line in found.lines()] == [
        "proposed rename", "added", "added", "removed", "left out",
    ]  # fmt: skip
    assert found.lines()[-1] == "left out: 1 trial, because running: it has not ended"
    assert found.lines(4) == [
        found.lines()[0],
        "3 differences to earlier spaces and objectives; `twentieth review` lists all",
    ]


def test_a_moved_range_a_changed_kind_and_a_changed_condition_are_named() -> None:
    theirs = SearchSpace(
        TARGET.distributions
        | {"width": IntDistribution(8, 32), "learning_rate": CategoricalDistribution(("0.01",))},
        {"adamw.beta": {"optimizer": ("adamw",)}},
    )
    found = decisions_of(earlier([SGD | {"learning_rate": "0.01"}], theirs))
    assert found.keys() == {"moved", "kind changed", "condition changed"}
    assert (found["moved"].theirs, found["moved"].ours) == ("8..32", "16..64")
    assert (found["kind changed"].theirs, found["kind changed"].ours) == ("a choice", "real")
    assert found["condition changed"].sentence == (
        "sgd.momentum is active always in s1, when optimizer in {sgd} here: unknown in 0 trials"
    )


def test_without_a_logged_space_the_trials_are_compared() -> None:
    known = earlier([SGD | {"width": 128, "batch": 3}, SGD | {"width": "x"}], None)
    kinds = {each.kind: each.trials for each in reconciled(known).decisions}
    # No trial used adamw, so beta is inactive and not missing.
    assert kinds == {"narrowed": 1, "unreadable": 1, "added": 0, "removed": 1}


def test_an_inferred_parent_is_a_decision() -> None:
    known = earlier([{"width": 32, "learning_rate": 0.01, "sgd.momentum": 0.5}], None)
    assert decisions_of(known)["inferred"].trials == 1


def test_decisions_are_json() -> None:
    known = earlier([SGD | {"width": 128}], changed(width=IntDistribution(8, 256)))
    (decision,) = reconciled(known).decisions
    assert json.loads(json.dumps(vars(decision)))["sentence"] == decision.sentence


def test_a_range_that_was_only_inferred_from_values_was_neither_wider_nor_narrower() -> None:
    theirs = SearchSpace(
        {"width": IntDistribution(20, 24), "learning_rate": FloatDistribution(0.01, 0.2)}
    )
    trials = [{"width": 20, "learning_rate": 0.01}, {"width": 24, "learning_rate": 0.2}]
    logged = earlier(trials, theirs)
    searches = {
        name: replace(search, inferred=frozenset(theirs.distributions))
        for name, search in logged.searches.items()
    }
    lines = decision_lines(reconciled(replace(logged, searches=searches)).decisions)
    about = [line for line in lines if "width" in line or "learning_rate " in line]
    # 0.2 was tried and lies outside; nobody said that nothing else was allowed.
    assert about == [
        "narrowed: learning_rate has values in s1, 0.0001..0.1 (log) here: 1 trial lies outside "
        "and stays in the model unchanged"
    ]
    assert any(
        line.startswith("widened: width 20..24")
        for line in decision_lines(reconciled(logged).decisions)
    )


def test_a_choice_of_none_that_is_gone_is_counted_as_any_other() -> None:
    """In Optuna None may be a choice; a spec has none."""
    theirs = changed(optimizer=CategoricalDistribution(("sgd", "adamw", None)))
    trials = [SGD, SGD | {"optimizer": None}, SGD | {"optimizer": None}]
    lines = decision_lines(reconciled(earlier(trials, theirs)).decisions)
    assert (
        "vanished category: optimizer {None} in s1 does not exist here: unknown in 2 trials, where "
        "the other values count"
    ) in lines
    assert not [line for line in lines if line.startswith("unreadable")]

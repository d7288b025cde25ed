"""History restated for a target: values are unchanged, and every trial is counted."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.objectives import Objective
from search.objectives.objective import from_lists
from search.review import decision_lines, reconcile
from search.space import SearchSpace
from search.space.restating import restate
from tests.support.earlier_searches import (
    ACCURACY,
    SGD,
    TARGET,
    changed,
    earlier,
    points,
    reconciled,
    together,
)

OTHER_PGD, PGD = "accuracy.pgd20_linf_0.3", "accuracy.pgd10_linf_0.1"


def one(configuration: Any, space: SearchSpace = TARGET) -> Any:
    (trial,) = reconciled(earlier([configuration]), space).trials
    return trial


# Values.


def test_a_configuration_of_the_space_is_exact_and_keeps_all_its_data() -> None:
    trial = one(SGD)
    assert trial.is_exact and not trial.is_by_rank and trial.unknown == frozenset()
    assert dict(trial.configuration) == SGD and trial.values == (0.5,)
    assert (trial.task, trial.search, trial.run_id) == ("digits", "s1", "s1-0")
    assert trial.seconds == 7.0
    assert reconciled(earlier([SGD])).decisions == ()


def test_a_number_outside_the_range_is_unchanged() -> None:
    trial = one(SGD | {"width": 256, "learning_rate": 1.0})
    assert dict(trial.configuration) == SGD | {"width": 256, "learning_rate": 1.0}
    assert not trial.is_exact and trial.unknown == frozenset()


def test_a_range_that_passed_through_text_still_contains_its_bounds() -> None:
    trial = one(SGD | {"sgd.momentum": 0.9 + 1e-12})
    assert trial.is_exact and trial.configuration["sgd.momentum"] == 0.9


@pytest.mark.parametrize(
    ("name", "stored", "value"),
    [
        ("width", "32", 32),
        ("width", 32.0, 32),
        ("learning_rate", "1e-2", 0.01),
        ("sgd.momentum", 0, 0.0),
        ("optimizer", " sgd ", "sgd"),
    ],
)
def test_another_type_of_the_same_value_is_exact(name: str, stored: Any, value: Any) -> None:
    trial = one(SGD | {name: stored})
    assert trial.configuration[name] == value
    assert type(trial.configuration[name]) is type(value)
    assert trial.is_exact


def test_a_number_between_grid_values_is_kept_and_not_exact() -> None:
    stepped = changed(width=IntDistribution(16, 64, step=16))
    for stored in (24, 24.5):
        trial = one(SGD | {"width": stored}, stepped)
        assert trial.configuration["width"] == stored and not trial.is_exact


@pytest.mark.parametrize(
    "stored", [None, "None", "", "wide", math.nan, math.inf, [32], {"a": 1}, True, 10**400, "1e999"]
)
def test_an_unreadable_value_is_unknown_and_its_trial_kept(stored: Any) -> None:
    trial = one(SGD | {"width": stored})
    assert trial.unknown == {"width"} and "width" not in trial.configuration
    assert trial.values == (0.5,) and not trial.is_exact


def test_zero_is_unknown_on_a_logarithmic_range() -> None:
    assert one(SGD | {"learning_rate": 0.0}).unknown == {"learning_rate"}


def test_numbers_and_categories_are_converted_by_value() -> None:
    choices = changed(width=CategoricalDistribution((16, 32, "64")))
    assert one(SGD | {"width": 32.0}, choices).configuration["width"] == 32
    assert one(SGD | {"width": 64.0}, choices).configuration["width"] == "64"
    assert one(SGD | {"width": 48}, choices).unknown == {"width"}
    was_choice = earlier([SGD | {"width": "48"}], changed(width=CategoricalDistribution(("48",))))
    assert reconciled(was_choice).trials[0].configuration["width"] == 48


# Names.


def test_a_hyperparameter_that_history_lacks_is_unknown() -> None:
    without = {name: value for name, value in SGD.items() if name != "width"}
    trial = reconciled(earlier([without], changed(width=None))).trials[0]
    assert trial.unknown == {"width"} and dict(trial.configuration) == without


def test_a_removed_hyperparameter_is_ignored() -> None:
    trial = one(SGD | {"batch": 64})
    assert dict(trial.configuration) == SGD and not trial.is_exact


def test_a_rename_is_applied_to_trials_with_the_old_name_and_counted() -> None:
    old = {("lr" if name == "learning_rate" else name): value for name, value in SGD.items()}
    lr = changed(learning_rate=None, lr=FloatDistribution(1e-4, 1e-1, log=True))
    known = together(earlier([old, SGD], lr), earlier([SGD], search="s2"))
    found = reconciled(known, rename={"lr": "learning_rate", "unheard": "of"})
    assert [dict(each.configuration) for each in found.trials] == [SGD, SGD, SGD]
    assert all(each.is_exact for each in found.trials)
    assert [(each.kind, each.search, each.trials) for each in found.decisions] == [
        ("renamed", "s1", 1)
    ]


def test_two_names_are_never_merged() -> None:
    old = {"a": 0.01, "b": 0.02, "width": 32}
    found = reconciled(earlier([old], None), rename={"a": "learning_rate", "b": "learning_rate"})
    assert found.trials[0].configuration["learning_rate"] == 0.01


# Categories and conditions.


def test_a_vanished_category_is_unknown_and_its_trial_kept() -> None:
    trial = one({"optimizer": "lion", "width": 32, "learning_rate": 0.01})
    assert trial.unknown == {"optimizer"}  # its children were truly inactive
    assert dict(trial.configuration) == {"width": 32, "learning_rate": 0.01}


def test_a_removed_condition_leaves_inactive_hyperparameters_unknown() -> None:
    free = SearchSpace(TARGET.distributions, {"adamw.beta": {"optimizer": ("adamw",)}})
    adamw = {"optimizer": "adamw", "width": 32, "learning_rate": 0.01, "adamw.beta": 0.9}
    trial = one(adamw, free)
    assert trial.unknown == {"sgd.momentum"} and dict(trial.configuration) == adamw


def test_a_new_condition_drops_hyperparameters_that_are_now_inactive() -> None:
    trial = one(SGD | {"adamw.beta": 0.9})
    assert dict(trial.configuration) == SGD and not trial.is_exact


def test_a_missing_parent_is_inferred_from_its_children() -> None:
    trial = one({"width": 32, "learning_rate": 0.01, "sgd.momentum": 0.5})
    assert dict(trial.configuration) == SGD
    assert trial.unknown == frozenset() and not trial.is_exact


@pytest.mark.parametrize("children", [{}, {"sgd.momentum": 0.5, "adamw.beta": 0.9}])
def test_a_missing_parent_that_cannot_be_inferred_is_unknown_with_its_children(
    children: dict[str, Any],
) -> None:
    trial = one({"width": 32, "learning_rate": 0.01, **children})
    assert trial.unknown == {"optimizer", "sgd.momentum", "adamw.beta"}
    assert dict(trial.configuration) == {"width": 32, "learning_rate": 0.01}


def test_a_child_of_two_parent_values_does_not_determine_its_parent() -> None:
    space = SearchSpace(
        {"kind": CategoricalDistribution(("a", "b", "c")), "size": IntDistribution(1, 9)},
        {"size": {"kind": ("a", "b")}},
    )
    assert restate(space, {"size": 3}).unknown == {"kind", "size"}
    assert restate(space, {"kind": "c", "size": 3}).unknown == frozenset()


# Objectives.


def test_a_counterpart_of_the_role_counts_by_rank() -> None:
    known = earlier([SGD], objectives=[OTHER_PGD], directions=["maximize"])
    found = reconciled(known, objectives=[PGD])
    assert found.trials[0].values == (0.5,) and found.trials[0].is_by_rank
    (decision,) = found.decisions
    assert decision.sentence == f"{OTHER_PGD} in s1 stands for {PGD}: 1 trial, by rank only"


def test_the_same_metric_in_the_other_direction_is_left_out_with_its_reason() -> None:
    known = earlier([SGD, SGD], directions=["minimize"])
    found = reconciled(known)
    assert not found.trials
    assert found.left_out == {
        "it was to minimize accuracy.clean, this search is to maximize it": 2
    }  # fmt: skip


def test_a_renamed_metric_with_the_other_direction_changes_sign_and_counts_by_rank() -> None:
    # With and without the rename: error .5 is a worse accuracy than error .3.
    for name in (ACCURACY, "error"):
        known = earlier([SGD], objectives=[name], directions=["minimize"], values=[0.3])
        found = reconciled(known, rename_metrics={"error": ACCURACY})
        assert found.trials[0].values == (-0.3,) and found.trials[0].is_by_rank
        (decision,) = found.decisions
        assert (decision.kind, decision.trials) == ("direction turned", 1)


def test_a_renamed_metric_with_the_same_direction_counts_unchanged() -> None:
    known = earlier([SGD], objectives=["acc"])
    trial = reconciled(known, rename_metrics={"acc": ACCURACY}).trials[0]
    assert trial.values == (0.5,) and not trial.is_by_rank


def test_values_and_objectives_are_those_of_the_target() -> None:
    target = from_lists([ACCURACY, PGD], ["maximize"] * 2)
    known = earlier([SGD], objectives=[PGD, ACCURACY], directions=["maximize"] * 2, values=[0.3, 1])
    (trial,) = reconcile(known, TARGET, target).trials
    assert trial.objectives == target and trial.by_metric == {ACCURACY: 1.0, PGD: 0.3}


def test_with_an_unnamed_target_a_trial_keeps_its_own_objectives() -> None:
    known = earlier([SGD])
    (trial,) = reconcile(known, TARGET, [Objective("", "maximize")]).trials
    assert trial.objectives == known.prior_trials()[0].objectives
    assert trial.by_metric == {ACCURACY: 0.5}


# Curves.


@pytest.mark.parametrize("state", ["complete", "stopped", "failed"])
def test_the_curve_of_a_renamed_error_changes_sign_like_its_values(state: str) -> None:
    curves = points(error=[0.4, 0.3], loss=[2.0, 1.0])
    known = earlier(
        [SGD], objectives=["error"], directions=["minimize"], state=state, curves=curves,
        values=[0.3] * (state == "complete"),
    )  # fmt: skip
    (trial,) = reconciled(known, rename_metrics={"error": ACCURACY}).trials
    assert trial.curves == {ACCURACY: {1: -0.4, 2: -0.3}, "loss": {1: 2.0, 2: 1.0}}
    assert trial.last(ACCURACY) == trial.value_of(ACCURACY) == -0.3


def test_the_curve_of_a_counterpart_is_found_under_the_objectives_name() -> None:
    known = earlier(
        [SGD], objectives=[OTHER_PGD], directions=["maximize"], curves=points(**{OTHER_PGD: [0.5]})
    )
    (trial,) = reconciled(known, objectives=[PGD]).trials
    assert trial.curves[PGD] == trial.curves[OTHER_PGD] == {1: 0.5}


def test_a_failed_trial_has_no_values_to_be_compared_by_rank() -> None:
    known = earlier(
        [SGD], objectives=[OTHER_PGD], directions=["maximize"], state="failed", values=[]
    )
    (trial,) = reconciled(known, objectives=[PGD]).trials
    assert not trial.is_by_rank


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_trials_that_ended_early_are_kept_without_values(state: str) -> None:
    (trial,) = reconciled(earlier([SGD], state=state, values=[])).trials
    assert (trial.state, trial.values) == (state, ())


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_trials_that_have_not_ended_are_left_out(state: str) -> None:
    found = reconciled(earlier([SGD], state=state, values=[]))
    assert not found.trials and found.left_out == {f"{state}: it has not ended": 1}


# Malformed histories.

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["sgd", "adamw", "lion", "32", "1e999", "0.01", 10**400]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)  # fmt: skip
_NAMES = st.sampled_from([*TARGET.distributions, "lr", "batch", ""]) | st.text(max_size=5)
_TRIALS = st.tuples(
    st.dictionaries(_NAMES, _VALUES, max_size=6) | _VALUES,
    st.sampled_from(["complete", "stopped", "failed", "running", "interrupted", "?"]),
    st.lists(st.floats() | st.none(), max_size=2),
    st.sampled_from([[ACCURACY], ["error"], [PGD], [ACCURACY, PGD], []]),
    st.sampled_from(["maximize", "minimize", "up"]),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(_TRIALS, max_size=5), st.booleans(), st.booleans())
def test_it_never_raises_and_every_trial_is_accounted_for(
    trials: list[Any], has_space: bool, has_objectives: bool
) -> None:
    known = together(
        earlier([]),
        *(
            earlier(
                [configuration], TARGET if has_space else None, f"s{index % 2}", state=state,
                values=values, objectives=objectives, directions=[direction] * len(objectives),
            )
            for index, (configuration, state, values, objectives, direction) in enumerate(trials)
        ),
    )  # fmt: skip
    found = reconciled(
        known, objectives=[ACCURACY] if has_objectives else [ACCURACY, PGD],
        rename={"lr": "learning_rate", "batch": "width"}, rename_metrics={"error": ACCURACY},
    )  # fmt: skip
    assert len(found.trials) + found.left_out.total() == len(trials)
    for each in found.trials:
        assert each.configuration.keys() <= TARGET.distributions.keys()
        assert not each.configuration.keys() & each.unknown
        assert all(math.isfinite(value) for value in each.values)
        assert not each.is_exact or TARGET.contains(each.configuration)
        assert restate(TARGET, each.configuration).configuration == each.configuration
    assert all(decision_lines(found.decisions))
    assert json.dumps([vars(decision) for decision in found.decisions])


def test_a_value_beyond_what_samplers_can_square_is_left_out_with_that_reason() -> None:
    found = reconciled(earlier([SGD] * 2, values=[1e300]))
    assert not found.trials
    assert found.left_out == {f"it has no value below 1e+150 of {ACCURACY}": 2}

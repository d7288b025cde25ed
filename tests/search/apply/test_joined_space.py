"""The target space, inferred from history and then from the study's own trials."""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

from search.apply.joined_space import join_spaces, observed
from search.space import SearchSpace


def test_ranges_widen_and_choices_collect():
    joined = join_spaces(
        [
            SearchSpace(
                {
                    "rate": FloatDistribution(1e-3, 1e-1, log=True),
                    "width": IntDistribution(16, 64, step=16),
                    "kind": CategoricalDistribution(["a", "b"]),
                }
            ),
            SearchSpace(
                {
                    "rate": FloatDistribution(1e-4, 1e-2, log=True),
                    "width": IntDistribution(8, 32),
                    "kind": CategoricalDistribution(["b", "c"]),
                    "new": FloatDistribution(0, 1),
                }
            ),
        ]
    )
    assert joined.distributions == {
        "rate": FloatDistribution(1e-4, 1e-1, log=True),
        "width": IntDistribution(8, 64),
        "kind": CategoricalDistribution(["a", "b", "c"]),
        "new": FloatDistribution(0, 1),
    }


def test_a_range_of_history_that_no_sampler_can_take_is_left_out_with_its_condition():
    seed = IntDistribution(0, 2**63 - 1)
    space = SearchSpace({"seed": seed, "x": FloatDistribution(0, 1)}, {"x": {"seed": (7,)}})
    assert join_spaces([space]) == SearchSpace({"x": FloatDistribution(0, 1)})


def test_of_two_kinds_the_first_counts_and_of_two_conditions_none():
    child = {"kind": CategoricalDistribution(["a", "b"]), "x": FloatDistribution(0, 1)}
    joined = join_spaces(
        [
            SearchSpace(child, {"x": {"kind": ("a",)}}),
            SearchSpace(child | {"kind": IntDistribution(0, 3)}),
        ]
    )
    assert joined.distributions["kind"] == child["kind"]
    assert joined.conditions == {}


def test_the_studys_own_trials_overrule_history():
    history = SearchSpace(
        {"kind": CategoricalDistribution(["a", "b"]), "x": FloatDistribution(0, 1),
         "foreign": FloatDistribution(0, 1)},
        {"x": {"kind": ("a",)}, "foreign": {"kind": ("b",)}},
    )  # fmt: skip
    own = {"kind": CategoricalDistribution(["a", "b"]), "x": FloatDistribution(0, 5)}
    trial = create_trial(params={"kind": "a", "x": 4.0}, distributions=own, values=[0.0])
    assert observed(history, [trial]) == SearchSpace(own, {"x": {"kind": ("a",)}})
    assert observed(history, []) is history
    assert observed(None, []).distributions == {}

from __future__ import annotations

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.tracking.foreign.distributions import distribution_of_text, value_of_text


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(1e-5, 0.1, log=True),
        FloatDistribution(0.0, 1.0, step=0.25),
        IntDistribution(1, 9, step=2),
        CategoricalDistribution([None, True, 1.5, "it's", "a\\b"]),
    ],
)
def test_the_repr_of_a_distribution_parses_to_itself(distribution: BaseDistribution) -> None:
    assert distribution_of_text(str(distribution)) == distribution


@pytest.mark.parametrize(
    "text",
    [
        "", "FloatDistribution", "FloatDistribution()", "Float(low=0.0, high=1.0)",
        "FloatDistribution(low=1.0, high=0.0)", "FloatDistribution(0.0, 1.0)",
        "FloatDistribution(low=print(), high=1.0)", "__import__('os').system('true')",
        "CategoricalDistribution(choices=" + "(" * 3000 + ")" * 3000 + ")",
        # Optuna counts steps in decimals, of which these are too many.
        "FloatDistribution(low=0.0, high=1e400, step=0.1)",
        "FloatDistribution(low=-1e308, high=1e308, step=1e-300)",
        "CategoricalDistribution(choices=('a', 'b...", "FloatDistribution(low=0.0, high=1.0)\0)",
    ],
)  # fmt: skip
def test_any_other_text_is_none(text: str) -> None:
    assert distribution_of_text(text) is None


def test_a_text_gets_the_type_of_the_choice_with_that_text() -> None:
    mixed = CategoricalDistribution([None, True, 3, "adam"])
    assert [value_of_text(mixed, text) for text in ("None", "True", "3", "adam", "sgd")] == [
        (True, None), (True, True), (True, 3), (True, "adam"), (False, None),
    ]  # fmt: skip
    assert value_of_text(FloatDistribution(0.0, 1.0), "1") == (True, 1.0)
    assert value_of_text(IntDistribution(0, 9), "1.5") == (False, None)

"""Parameters of W&B sweeps: ranges hold what W&B draws by its documentation, and say what is lost.

Expected ranges are those of draws made here by the definitions of
https://docs.wandb.ai/models/sweeps/sweep-config-keys, independently of the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from search.space.values import holds
from search.spec.errors import Document
from search.spec.sections import HyperparameterSpec
from search.spec.sweep_parameters import Translated, translate

DRAWS = 4000
Draw = Callable[[np.random.Generator], Any]


def translated(raw: Mapping[str, Any]) -> Translated:
    document = Document({}, "sweep.yaml")
    found = translate(document, ("parameters", "x"), raw)
    assert found is not None, document.problems
    assert not document.problems
    return found


def mistakes(raw: Mapping[str, Any]) -> list[str]:
    document = Document({}, "sweep.yaml")
    assert translate(document, ("parameters", "x"), raw) is None
    return [str(problem) for problem in document.problems]


def rounded(draw: Draw, q: float) -> Draw:
    return lambda generator: np.round(draw(generator) / q) * q


def uniform(low: float, high: float) -> Draw:
    return lambda generator: generator.uniform(low, high, DRAWS)


def exponential(low: float, high: float) -> Draw:
    return lambda generator: np.exp(generator.uniform(low, high, DRAWS))


def inverse(low: float, high: float) -> Draw:
    return lambda generator: 1 / np.exp(generator.uniform(low, high, DRAWS))


EXACT: dict[str, tuple[dict[str, Any], Draw]] = {
    "uniform": ({"min": 0.5, "max": 2.0}, uniform(0.5, 2.0)),
    "int_uniform": (
        {"min": 1, "max": 8}, lambda generator: generator.integers(1, 8, DRAWS, endpoint=True)
    ),
    "q_uniform": (
        {"distribution": "q_uniform", "min": 0, "max": 96, "q": 8}, rounded(uniform(0, 96), 8)
    ),
    "q_uniform of a fraction": (
        {"distribution": "q_uniform", "min": 0.1, "max": 0.9, "q": 0.2},
        rounded(uniform(0.1, 0.9), 0.2),
    ),
    "q_uniform by default": (
        {"distribution": "q_uniform", "min": 2, "max": 20}, rounded(uniform(2, 20), 1)
    ),
    "log_uniform": (
        {"distribution": "log_uniform", "min": -9, "max": -1}, exponential(-9, -1)
    ),
    "log_uniform_values": (
        {"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1},
        exponential(np.log(1e-4), np.log(0.1)),
    ),
    "inv_log_uniform": (
        {"distribution": "inv_log_uniform", "min": 1, "max": 9}, inverse(1, 9)
    ),
    "inv_log_uniform_values": (
        {"distribution": "inv_log_uniform_values", "min": 1e-4, "max": 0.1},
        inverse(np.log(1 / 0.1), np.log(1 / 1e-4)),
    ),
    "q_log_uniform_values": (
        {"distribution": "q_log_uniform_values", "min": 4, "max": 512},
        rounded(exponential(np.log(4), np.log(512)), 1),
    ),
    "beta": ({"distribution": "beta"}, uniform(0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_a_range_is_that_of_the_draws_of_wandb(name: str) -> None:
    raw, draw = EXACT[name]
    found = translated(raw)
    assert found.entry is not None and found.differs == ()
    kind: Any = HyperparameterSpec(**found.entry).distribution()
    values = draw(np.random.default_rng(1))
    is_whole = found.entry["type"] == "int"
    # 1e-9: a grid of floats is computed in another order here.
    inside = [int(v) if is_whole else float(v) for v in np.clip(values, kind.low, kind.high)]
    assert np.allclose(inside, values, rtol=0, atol=1e-9 * max(1, abs(kind.high)))
    if "q" in raw or is_whole:
        assert all(holds(kind, value) for value in inside)
    # 4,000 draws leave either hundredth of a range empty with probability 1e-17.
    ends = [kind.low, kind.high]
    if kind.log:
        values, ends = np.log(values), np.log(ends)
    reach = 0.01 * (ends[1] - ends[0])
    assert values.min() <= ends[0] + reach and values.max() >= ends[1] - reach


@pytest.mark.parametrize(
    ("raw", "low", "high", "is_log"),
    [
        ({"distribution": "normal", "mu": 3, "sigma": 0.5}, 2.0, 4.0, False),
        ({"distribution": "normal"}, -2.0, 2.0, False),
        ({"distribution": "log_normal", "mu": 0, "sigma": 1}, np.exp(-2), np.exp(2), True),
        ({"distribution": "q_normal", "mu": 100, "sigma": 20, "q": 10}, 60, 140, False),
    ],
)
def test_a_normal_distribution_becomes_two_deviations_and_says_so(
    raw: dict[str, Any], low: float, high: float, is_log: bool
) -> None:
    found = translated(raw)
    assert found.entry is not None
    assert found.entry["low"] == pytest.approx(low) and found.entry["high"] == pytest.approx(high)
    assert found.entry.get("log", False) is is_log
    assert any("has no counterpart" in text and "95 %" in text for text in found.differs)


def test_a_step_of_a_logarithmic_range_is_lost_aloud() -> None:
    raw = {"distribution": "q_log_uniform_values", "min": 16, "max": 256, "q": 8}
    found = translated(raw)
    assert found.entry == {"type": "int", "low": 16, "high": 256, "log": True}
    (text,) = found.differs
    assert "q 8 has no counterpart" in text and "fix: round" in text


def test_choices_lose_their_probabilities_aloud_and_those_of_zero() -> None:
    raw = {"values": ["adam", "sgd", "lion"], "probabilities": [0.7, 0.3, 0]}
    found = translated(raw)
    assert found.entry == {"type": "categorical", "choices": ["adam", "sgd"]}
    (text,) = found.differs
    assert "probabilities have no counterpart" in text and "probability 0 are left out" in text
    even = translated({"values": [1, 2], "probabilities": [0.5, 0.5]})
    assert even.differs == ()


@pytest.mark.parametrize(
    "raw", [{"value": 16}, {"values": [16]}, {"min": 16, "max": 16}, {"values": [16, 16]}]
)
def test_a_single_value_is_no_hyperparameter(raw: dict[str, Any]) -> None:
    found = translated(raw)
    assert found.entry is None and found.value == 16


def test_lists_become_text_that_json_reads_back() -> None:
    found = translated({"values": [[64, 64], None, "none"]})
    assert found.entry == {"type": "categorical", "choices": ["[64, 64]", "null", "none"]}
    assert "json.loads" in found.differs[0] and len(found.differs) == 1


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"distribution": "unifrom", "min": 0, "max": 1}, "Did you mean `uniform`?"),
        ({"distribution": "uniform", "min": 0}, "parameters.x.max: is missing"),
        ({"min": 1.0, "max": 0.5}, "parameters.x.min = 1.0: must not be above max (0.5)"),
        ({"min": "a", "max": 1}, "parameters.x.min = 'a': must be a number"),
        ({"min": True, "max": 1}, "must be a number"),
        ({"min": 0, "max": float("inf")}, "must be a finite number"),
        ({"min": 0, "max": 1, "step": 2}, "parameters.x.step: distribution int_uniform has no"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "must be above 0"),
        ({"distribution": "log_uniform", "min": 1e-4, "max": 1e4}, "log_uniform_values"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "q = 0: must be above 0"),
        ({"distribution": "q_uniform", "min": 0, "max": 1e300, "q": 1e-300}, "beyond all floats"),
        ({"distribution": "normal", "sigma": -1}, "sigma = -1: must be 0 or more"),
        ({"values": []}, "must list at least one value"),
        ({"values": [1, 2], "probabilities": [1]}, "must list 2 numbers"),
        ({"values": [1, 2], "probabilities": [0, 0]}, "are all 0"),
        ({"values": [1, 2], "probabilities": [1, "b"]}, "must be a number of 0 or more"),
        ({"min": 0}, "says nothing to search"),
        ({}, "says nothing to search"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key_and_value(raw: dict[str, Any], said: str) -> None:
    (text,) = mistakes(raw)
    assert text.startswith("sweep.yaml  parameters.x") and said in text, text


def test_a_whole_number_beyond_all_floats_is_a_mistake_or_a_text() -> None:
    (mistake,) = mistakes({"min": 0, "max": 10**400})
    assert "must be a finite number" in mistake
    assert translated({"value": 10**400}).value == str(10**400)


def test_the_ends_of_int_uniform_are_whole_numbers() -> None:
    found = mistakes({"distribution": "int_uniform", "min": 0.5, "max": 3.0})
    assert len(found) == 1 and "must be a whole number" in found[0]

"""What a model expected of a trial, read from its origin and written to read."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from search.history.forecast import Forecast, read_forecast
from search.history.provenance import provenance_text, read_origin

RECORD = {"value": {"accuracy.clean": [0.98, 0.95, 0.99]}, "cost": 3.2e9, "unit": "work",
          "factor": 1.5}  # fmt: skip


def test_a_forecast_is_read_and_written_in_words() -> None:
    found = read_forecast({"forecast": RECORD})
    assert found.in_words() == (
        "accuracy.clean 0.9800 [0.9500, 0.9900], 3.2 GFLOP within a factor of 1.5"
    )
    seconds = read_forecast({"forecast": RECORD | {"cost": 12.34, "unit": "seconds"}})
    assert "12.3 s within" in seconds.in_words()


@pytest.mark.parametrize(
    "record",
    [
        None, [], {"value": 3}, {"value": {"a": [1, 2]}}, {"value": {"a": [1, 2, math.nan]}},
        {"value": {"a": [1, 2, "3"]}}, {"cost": 10**400, "factor": 2.0},
        {"cost": True, "factor": 1}, {"gain": math.nan}, {"cost": math.inf, "factor": 1.0},
    ],
)  # fmt: skip
def test_what_is_malformed_is_unknown(record: object) -> None:
    found = read_forecast({"forecast": record})
    assert replace(found, gain=0.0) == replace(Forecast(), gain=0.0)
    assert math.isnan(found.gain)
    assert read_forecast({}).in_words() == ""


def test_the_gain_is_that_of_the_best_candidate_also_where_it_was_too_expensive() -> None:
    assert read_forecast({"forecast": {"gain": 0.1}}).gain == 0.1
    assert read_forecast({"forecast": {"gain": 0.1, "most": 0.3}}).gain == 0.3


def test_a_rank_is_said_where_no_value_is():
    found = read_forecast({"forecast": {"rank": {"loss": [0.12, 0.001, 0.5]}}})
    assert found.in_words() == "loss best 12 % [1, 50] of earlier searches' trials"
    both = read_forecast({"forecast": RECORD | {"rank": {"accuracy.clean": [0.1, 0.1, 0.1]}}})
    assert "best" not in both.in_words()
    assert not read_forecast({"forecast": {"rank": {"loss": [1.2, 0.1, 0.5]}}}).ranks


def test_a_cost_without_its_error_is_known_but_not_said() -> None:
    found = read_forecast({"forecast": {"cost": 3.0}})
    assert found.cost == 3.0
    assert found.in_words() == ""


def test_a_cost_that_may_be_far_off_is_not_said() -> None:
    assert read_forecast({"forecast": RECORD | {"value": {}, "factor": 1e6}}).in_words() == ""


def test_control_characters_of_a_metric_are_not_printed() -> None:
    found = read_forecast({"forecast": {"value": {"a\x1b[2J": [1.0, 0.0, 2.0]}}})
    assert found.in_words() == "a?[2J 1.0000 [0.0000, 2.0000]"


def test_the_provenance_of_a_trial_says_what_was_expected() -> None:
    text = provenance_text(read_origin({"step": "model", "forecast": RECORD}))
    assert text.endswith(
        "Expected: accuracy.clean 0.9800 [0.9500, 0.9900], 3.2 GFLOP within a factor of 1.5."
    )

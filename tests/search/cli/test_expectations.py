"""The table of what is expected of first proposals."""

from __future__ import annotations

from search.cli.expectations import expectation_lines
from search.cli.tables import WIDTH
from search.history.provenance import read_origin

PORTFOLIO = read_origin(
    {"step": "portfolio", "forecast": {
        "value": {"accuracy.clean": [0.98, 0.95, 0.99]}, "rank": {"accuracy.clean": [0.1, 0.0, 0.3],
        "loss": [0.121, 0.002, 0.5]}, "cost": 3.2e9, "unit": "work", "factor": 1.52}}
)  # fmt: skip
CONFIRM = read_origin(
    {"step": "confirm", "forecast": {"cost": 12.3, "unit": "seconds", "factor": 1.1},
     "revalidates": {"trial": "digits#3", "expected": {"accuracy.clean": 0.97},
                     "accepted": {"accuracy.clean": [0.96, None]}}}
)  # fmt: skip


def test_each_proposal_has_a_row_with_its_cost_and_its_values():
    origin = {"step": "portfolio", "forecast": {
        "value": {"accuracy.clean": [0.98, 0.95, 0.99]}, "cost": 3.2e9, "unit": "work",
        "factor": 1.52}}  # fmt: skip
    assert expectation_lines([CONFIRM, read_origin(origin)]) == [
        "expected     step            cost  factor           accuracy.clean",
        "          1  confirm       12.3 s     1.1  0.9700 [0.9600 or more]",
        "          2  portfolio  3.2 GFLOP     1.5  0.9800 [0.9500, 0.9900]",
    ]


def test_a_rank_is_said_where_no_value_is_and_what_is_too_wide_has_a_line_each_number():
    lines = expectation_lines([CONFIRM, PORTFOLIO])
    assert lines == [
        "expected  1 confirm    cost            12.3 s within a factor of 1.1",
        "                       accuracy.clean  0.9700 [0.9600 or more]",
        "          2 portfolio  cost            3.2 GFLOP within a factor of 1.5",
        "                       accuracy.clean  0.9800 [0.9500, 0.9900]",
        "                       loss            best 12 % [1, 50]",
        "          best x %: among the trials of earlier searches, mean [least, most]",
    ]
    assert max(map(len, lines)) <= WIDTH


def test_without_any_forecast_there_is_no_table():
    assert expectation_lines([read_origin({"step": "random"})]) == []


def test_an_unknown_cost_has_no_column():
    origin = read_origin({"step": "portfolio", "forecast": {"rank": {"loss": [0.2, 0.1, 0.3]}}})
    assert "cost" not in "\n".join(expectation_lines([origin]))

"""What a search is expected to cost, said before it, and how that turned out, said after it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from search.tracking import tag_names
from search.tracking.store import open_client
from search.transfer.cost_forecast import CostForecast, Estimate
from tests.support.commands import Said
from tests.support.launches import Place, finished, hills
from tests.support.stored_search import Stored


def test_show_says_what_a_search_that_has_not_ended_is_expected_to_cost(
    cli: Callable[..., Said], store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    forecast = CostForecast("core", 5, per_trial=Estimate(2.0, 1.0, 4.0, 3), unknown_to_goal="...")
    open_client(copy.uri).set_tag(
        copy.plan.summary_run, tag_names.COST_FORECAST, forecast.to_json()
    )
    line = "expected cost of 5 trials: 10 core-hours [5.0, 20], from 3 earlier searches"
    assert line in cli("show", copy.search, "--tracking-uri", copy.uri).out
    document = json.loads(cli("show", copy.search, "--json", "--tracking-uri", copy.uri).out)
    assert document["cost_forecast"] == ["expected cost to a goal: unknown, because ...", line]


def test_show_ignores_a_forecast_that_is_damaged(
    cli: Callable[..., Said], store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    open_client(copy.uri).set_tag(copy.plan.summary_run, tag_names.COST_FORECAST, '{"unit": 1')
    said = cli("show", copy.search, "--tracking-uri", copy.uri)
    assert said.code == 0 and "cost of" not in said.out and "cost to" not in said.out


@pytest.mark.slow
@pytest.mark.long
def test_a_second_search_says_beforehand_what_it_will_cost_and_its_report_what_it_did(
    tmp_path: Path,
) -> None:
    place, spec = Place(tmp_path), hills(budget={"trials": 4, "epochs": 2})
    spec["task"]["settings"] = {"pause": 0.1}
    first = finished(place.run(spec))
    assert "apply     cost: unknown, because no earlier search" in first
    second = finished(place.run(spec))
    known = re.search(r"apply     cost of 4 trials: (.+ \[.+\]), from 4 earlier trials", second)
    assert known is not None, second
    assert re.search(r"cost to a front like .+: unknown, because .+; cold: .+ core-", second)
    report = (place.folder / place.search() / "report.md").read_text()
    section = report.split("## What it was expected to cost\n\n")[1].split("\n\n##")[0]
    said = known[1].replace("[", "&#91;").replace("]", "&#93;")
    assert re.fullmatch(rf"- Forecast was a cost of {re.escape(said)} for 4 trials; .+", section)

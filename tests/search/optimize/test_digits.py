"""Real training under the whole system: a network on real images, killed, resumed and warm."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from search.history.revalidation import read_revalidation
from search.pipeline import prepare
from search.spec import spec_from_yaml
from search.tracking import tag_names
from search.tracking.store import open_client
from tests.support.launches import Place, driver_of, finished, small_digits

pytestmark = pytest.mark.slow

# Three rounds of two: enough to be killed in the middle and to teach a later search.
TRIALS = small_digits()["budget"]["trials"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def killed_and_resumed(place: Place) -> str:
    """Makes a search whose driver was killed while trials were between their epochs."""
    command = place.run(small_digits())
    search = place.search()
    place.wait_for(search, "epoch", 2)  # so there is something to lose
    place.wait_for_a_begun_trial(search)
    driver_of(command).kill()
    command.kill()
    command.wait()
    finished(place.start("resume", search))
    return search


def test_a_running_trial_continues_from_its_last_checkpoint_in_the_same_run(
    place: Place, killed_and_resumed: str
) -> None:
    runs = place.raw_runs(killed_and_resumed)
    assert sorted(int(run.data.tags[tag_names.NUMBER]) for run in runs) == list(range(TRIALS))
    assert {run.info.status for run in runs} == {"FINISHED"}
    continued = []
    for trial in sorted((place.folder / "storage" / killed_and_resumed / "checkpoints").iterdir()):
        if (trial / "generation_1").exists() and (trial / "generation_2").exists():
            before = max(trial.glob("generation_1/epoch_*.json"))
            epoch = json.loads(before.read_text())["epoch"]
            after = json.loads(max(trial.glob("generation_2/epoch_*.json")).read_text())["metrics"]
            assert after[:epoch] == json.loads(before.read_text())["metrics"]
            continued.append(trial.name)
    assert continued, "no trial was in flight when the driver was killed"
    client = open_client(place.uri)
    for run in runs:
        for metric, steps in (
            ("selection.accuracy.clean", [1, 2, 3, 4, 5]),
            ("accuracy.clean", [5]),
        ):
            points = client.get_metric_history(run.info.run_id, metric)
            assert sorted(point.step for point in points) == steps


def test_only_the_front_has_seen_the_test_split_and_the_report_shows_it(
    place: Place, killed_and_resumed: str
) -> None:
    runs = place.raw_runs(killed_and_resumed)
    tested = {run.info.run_id for run in runs if "test.accuracy.clean" in run.data.metrics}
    table = pq.read_table(place.folder / killed_and_resumed / "trials.parquet").to_pylist()
    scores = {
        row["run_id"]: tuple(value for name, value in row.items() if name.startswith("objective."))
        for row in table
    }
    front = {
        run
        for run, own in scores.items()
        if not any(
            all(o >= s for o, s in zip(other, own, strict=True)) and other != own
            for other in scores.values()
        )
    }
    assert tested == front
    report = (place.folder / killed_and_resumed / "report.md").read_text()
    assert "Pareto" in report and "test" in report
    for picture in ("pareto.png", "curves.png"):
        assert (place.folder / killed_and_resumed / picture).stat().st_size > 10_000


def test_the_report_is_written_again_from_the_store_alone(
    place: Place, killed_and_resumed: str, tmp_path: Path
) -> None:
    elsewhere = Place(tmp_path, place.uri)
    finished(elsewhere.start("report", killed_and_resumed))
    before = (place.folder / killed_and_resumed / "report.md").read_text()
    assert (tmp_path / killed_and_resumed / "report.md").read_text() == before


def test_the_next_search_starts_from_what_this_one_learned(
    place: Place, killed_and_resumed: str
) -> None:
    budget = {"trials": 3, "epochs": 5}
    output = finished(place.run(small_digits(name="second", seed=1, budget=budget)))
    assert f"{TRIALS} complete trials of this same task" in output
    second = place.search("second")
    origins = [trial.origin for trial in place.trials(second)]
    past_runs = {run.info.run_id for run in place.raw_runs(killed_and_resumed)}
    assert any(set(origin.get("source_runs", ())) & past_runs for origin in origins)
    tried = [json.dumps(trial.configuration) for trial in place.trials(killed_and_resumed)]
    first, *others = [json.dumps(trial.configuration) for trial in place.trials(second)]
    assert first in tried, "the best known configuration was not trained again first"
    record = read_revalidation(place.trials(second)[0].origin)
    assert record is not None and f"trains {record.trial} again first" in " ".join(output.split())
    cost = re.search(r"cost of 3 trials: (.+ \[.+\]), from 6 earlier trials", output)
    assert cost is not None, output
    report = (place.folder / second / "report.md").read_text()
    forecast = cost[1].replace("[", "&#91;").replace("]", "&#93;")
    assert f"- Forecast was a cost of {forecast} for 3 trials; " in report
    assert not set(tried) & set(others), "another configuration of the past was tried again"


def test_a_cold_search_ignores_history(place: Place, killed_and_resumed: str) -> None:
    said: list[str] = []
    spec = spec_from_yaml(yaml.safe_dump(small_digits()))
    settings = spec.history.model_copy(update={"enabled": False})
    cold_spec = spec.model_copy(update={"history": settings})
    cold = prepare(cold_spec, place.uri, say=said.append)
    assert len(cold.history) == 0 and any("starts cold" in line for line in said)
    assert not any(proposal.origin.get("source_runs") for proposal in cold.proposals)


def test_history_that_changed_since_does_not_stop_a_search(
    place: Place, killed_and_resumed: str
) -> None:
    client = open_client(place.uri)
    first, second, third, *_ = place.raw_runs(killed_and_resumed)
    changed = {"width": 100_000, "widht": 32, "optimizer": "lion", "dropout": "nan", "width.x": []}
    client.set_tag(first.info.run_id, tag_names.CONFIGURATION, json.dumps(changed))
    client.set_tag(second.info.run_id, tag_names.CONFIGURATION, json.dumps({}))
    client.set_tag(third.info.run_id, tag_names.CONFIGURATION, "{'not': json}")
    said: list[str] = []
    settings = {"experiments": ["digits*"], "rename": {"widht": "width"}}
    spec = spec_from_yaml(yaml.safe_dump(small_digits(history=settings)))
    warm = prepare(spec, place.uri, say=said.append)
    assert any("2 runs left out" in line for line in said), said
    assert warm.space.contains(warm.proposals[0].configuration)
    finished(place.start("report", killed_and_resumed))

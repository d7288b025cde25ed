"""Every list is read to its end, however many pages it has, from a database and from a server."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.internal.big_store import fill
from search.tracking import artifacts, health, tag_names
from search.tracking import store as store_module
from search.tracking.read import history
from search.tracking.read.history import load_history
from search.tracking.read.rest_reader import POINTS_A_REQUEST
from search.tracking.store import (
    PAGE,
    all_experiments,
    all_runs,
    ensure_experiment,
    open_client,
    trial_runs,
)
from search.tracking.summary import all_summaries, create_summary, find_summary
from search.tracking.write.mlflow_views import links
from tests.support.servers import mlflow_server
from tests.support.stores import GOALS, SPACE, new_store, with_newer_experiments

MORE = PAGE + 200
POINTS = POINTS_A_REQUEST + 100
LONG = "long-1"  # a search with more trials than a page has


@dataclass(frozen=True)
class Big:
    """A store whose oldest search lies behind 1,200 experiments, and one with 1,200 trials."""

    uri: str
    experiment: str
    run: str  # of the first trial, with a long curve and many files

    @property
    def client(self) -> Any:
        return open_client(self.uri)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Big:
    folder = tmp_path_factory.mktemp("big")
    store = new_store(folder)
    store.trial(0)
    store.writer().drain()
    experiment = ensure_experiment(store.client, "long", store.uri)
    create_summary(
        store.client, experiment, search=LONG, task="long@1", fingerprint={}, spec_yaml="name: x",
        space_json=SPACE, objectives=GOALS, storage=folder / "none", trials_budget=MORE,
        numbers={"epochs": 1, "seed": 0}, warm_started_from=[], environment={},
    )  # fmt: skip
    database = folder / "mlflow.db"
    fill(database, experiment, first=0, runs=MORE, steps=1)
    with closing(sqlite3.connect(database)) as connection, connection:
        ids = (
            "SELECT run_uuid FROM runs WHERE experiment_id = ? AND source_type = 'LOCAL'"
            " ORDER BY start_time"
        )
        runs = [run for (run,) in connection.execute(ids, (experiment,))]
        tags = {
            tag_names.KIND: "trial",
            tag_names.SEARCH: LONG,
            tag_names.STATE: "complete",
            tag_names.CONFIGURATION: '{"x": 1}',
            tag_names.VALUES: "[0.5, 0.5]",
        }
        rows = [(run, *tag) for run in runs for tag in tags.items()]
        rows += [(run, tag_names.NUMBER, str(number)) for number, run in enumerate(runs)]
        connection.executemany("INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", rows)
        connection.executemany(
            "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan)"
            " VALUES (?, 'curve', 0.5, ?, ?, 0)",
            [(runs[0], step, step) for step in range(POINTS)],
        )
        connection.execute(
            "INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)"
            " VALUES (?, 'curve', 0.5, ?, ?, 0)",
            (runs[0], POINTS - 1, POINTS - 1),
        )
        place = folder / "files" / runs[0] / "artifacts"
        where = (f"mlflow-artifacts:/{runs[0]}/artifacts", runs[0])
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", where)
    with_newer_experiments(database, MORE)
    files = place / tag_names.ROBUSTNESS
    files.mkdir(parents=True)
    for number in range(MORE):
        (files / f"{number}.txt").touch()
    (files / f"z{artifacts.ADVERSARIAL_EXAMPLES}").write_text("pixels")
    return Big(store.uri, experiment, runs[0])


@pytest.fixture(scope="module")
def served(big: Big) -> Iterator[Big]:
    folder = Path(big.uri.removeprefix("sqlite:///")).parent
    with mlflow_server(big.uri, folder / "files") as uri:
        yield Big(uri, big.experiment, big.run)


@pytest.fixture(
    params=[pytest.param(each, marks=pytest.mark.slow) for each in ("a database", "a server")]
)
def source(request: pytest.FixtureRequest, big: Big, monkeypatch: pytest.MonkeyPatch,
           tmp_path: Path) -> Big:  # fmt: skip
    monkeypatch.setattr(history, "folder_for", lambda uri: tmp_path / "cache")
    found: Big = big if request.param == "a database" else request.getfixturevalue("served")
    return found


def test_a_search_behind_more_than_a_page_of_experiments_is_found_in_few_requests(
    source: Big, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    paged = store_module.paged

    def counting(ask: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        def counted(*more: Any, **others: Any) -> Any:
            asked[ask.__name__] += 1
            return ask(*more, **others)

        return paged(counted, *arguments, **options)

    monkeypatch.setattr(store_module, "paged", counting)
    assert find_summary(source.client, "demo").search == "demo-1"
    assert asked == {"search_experiments": 2, "search_runs": 1}
    assert {each.search for each in all_summaries(source.client)} == {"demo-1", LONG}


def test_all_experiments_and_what_is_asked_of_each_are_complete(source: Big) -> None:
    found = all_experiments(source.client)
    assert len({each.experiment_id for each in found}) == len(found) == MORE + 3
    assert found[0].name == f"newer {MORE - 1}" and found[-1].name in ("Default", "demo")
    assert links(source.client, "http://x") == {}
    assert health.runs_without_owner(source.client) == {"demo-1": 1, LONG: 1}


def test_all_trials_of_a_search_with_more_than_a_page_of_them_are_found(source: Big) -> None:
    runs = trial_runs(source.client, source.experiment, LONG)
    assert sorted(int(run.data.tags[tag_names.NUMBER]) for run in runs) == list(range(MORE))


def test_a_history_is_read_whole_and_empty_experiments_cost_no_files(
    source: Big, tmp_path: Path
) -> None:
    found = load_history(source.uri)
    assert (len(found.trials), found.rejected) == (MORE + 1, ())
    (longest,) = (trial for trial in found.prior_trials() if trial.run_id == source.run)
    assert len(longest.curves["curve"]) == POINTS, "its points fill more than one answer"
    assert len(list((tmp_path / "cache").glob("*.parquet"))) == 4


@pytest.mark.slow
def test_the_last_of_more_than_a_page_of_files_is_fetched(served: Big, tmp_path: Path) -> None:
    (file,) = artifacts.fetch_adversarial_examples(served.client, served.run, tmp_path)
    assert file.read_text() == "pixels"


@pytest.mark.parametrize("lists", ["runs", "experiments"])
def test_what_is_deleted_between_two_pages_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: str
) -> None:
    store = new_store(tmp_path)
    client = store.client
    experiments = [str(client.create_experiment(f"other {n}")) for n in range(5)]
    runs = [client.create_run(experiments[0], n + 1).info.run_id for n in range(5)]
    monkeypatch.setattr(store_module, "PAGE", 3)
    ask = client.search_runs if lists == "runs" else client.search_experiments

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        page = ask(*arguments, **options)
        if options["page_token"] is None:
            if lists == "runs":
                client.delete_run(runs[0])
                client.create_run(experiments[0], 9)
            else:
                client.delete_experiment(experiments[0])
        return page

    monkeypatch.setattr(client, ask.__name__, meanwhile)
    if lists == "runs":
        found = [run.info.run_id for run in all_runs(client, experiments, "")]
        assert found[:5] == runs and len(found) == 6
    else:
        names = {each.experiment_id for each in all_experiments(client)}
        assert set(experiments) <= names


def test_more_experiments_than_a_query_takes_are_asked_for_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_store(tmp_path).client
    experiments = [str(client.create_experiment(f"other {n}")) for n in range(3)]
    late, early = (client.create_run(experiments[n], 9 - n).info.run_id for n in (0, 2))
    monkeypatch.setattr(store_module, "EXPERIMENTS_A_REQUEST", 1)
    assert [run.info.run_id for run in all_runs(client, experiments, "")] == [early, late]

"""A search in a folder whose name means something else in a URI, and behind a link."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from search.report.report import publish_report
from search.session.result import read_result
from search.tracking.artifacts import read_text
from search.tracking.summary import find_summary
from search.tracking.uris import client_uri
from tests.support.launches import Place, assert_truthful, finished, hills

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_a_search_is_run_resumed_reported_and_shown_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "job%2Fbranch a?b#c&d=é"
    (folder / "real").mkdir(parents=True)
    (folder / "link").symlink_to("real")
    place = Place(folder / "link")
    resources = {"parallelism": 1, "cpus": 1}
    spec = hills("two_hills", budget={"trials": 1, "epochs": 2}, resources=resources)
    finished(place.run(spec))
    search = place.search()
    finished(place.start("resume", search, "--trials", "1",
                         "--allow-code", "tests.support.functions:two_hills"))  # fmt: skip
    assert_truthful(place, search, trials=2, epochs=2)
    publish_report(search, place.uri, place.folder)
    assert read_result(search, place.uri, place.folder).report is not None
    client = MlflowClient(client_uri(place.uri))
    assert read_text(client, find_summary(client, search).run_id, "report/report.md")
    assert {each.name for each in (folder / "real").iterdir()} >= {
        "artifacts", "cache", "mlflow.db", "mlflow.db.lock", "storage", search,
    }  # fmt: skip
    assert {each.name for each in folder.iterdir()} == {"real", "link"}
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]

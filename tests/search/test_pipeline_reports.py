"""The report of a search, from the store alone, whatever became of its files and its code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from search.report.report import publish_report
from search.tracking import tag_names
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from search.tracking.summary import (
    create_summary,
    find_summary,
    publish_totals,
)
from search.transfer.costs import cost_of
from search.transfer.totals import totals
from tests.support.stepped_trials import HILLS
from tests.support.stored_search import FUNCTION, Stored, hills_spec, new_search, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored(tmp_path_factory.getbasetemp())


@pytest.fixture
def copy(store: Stored, tmp_path: Path) -> Stored:
    return store.copied(tmp_path)


@pytest.mark.slow
def test_a_report_comes_from_the_store_alone(store: Stored, tmp_path: Path) -> None:
    copy = store.copied(tmp_path)
    place, verdict = publish_report("hills", copy.uri, tmp_path / "reports")
    assert place == tmp_path / "reports" / store.search
    assert store.search in (place / "report.md").read_text() and verdict
    summary = find_summary(open_client(copy.uri), "hills")
    assert summary.tags[tag_names.VERDICT] == verdict
    numbers = totals(load_history(copy.uri), store.search, cost_of(summary.spec_yaml))
    metrics = open_client(copy.uri).get_run(summary.run_id).data.metrics
    assert metrics == {
        f"search/{name}": pytest.approx(value, rel=1e-4)  # the page's five digits
        for name, value in numbers.as_metrics().items()
    }
    assert metrics["search/trials.failed"] == 1 and metrics["search/best.left"] == 0.9


def test_a_report_corrects_the_share_of_the_best_known_of_the_tasks_other_searches(
    copy: Stored, store: Stored, tmp_path: Path
) -> None:
    client = open_client(copy.uri)
    old = find_summary(client, store.search)
    publish_totals(client, old.run_id, {"share_of_best_known": 0.5})
    plan = new_search(copy, tmp_path, name="bare")
    client.set_tag(plan.summary_run, tag_names.STATE, "complete")
    publish_report(plan.search, copy.uri, tmp_path / "reports")
    metrics = {run: client.get_run(run).data.metrics for run in (old.run_id, plan.summary_run)}
    assert metrics[old.run_id] == {"search/share_of_best_known": 1.0}, "of the best known"
    assert metrics[plan.summary_run]["search/share_of_best_known"] == 0.0


def test_a_search_without_a_trial_has_a_report_too(copy: Stored, tmp_path: Path) -> None:
    plan = new_search(copy, tmp_path, name="bare")
    place, verdict = publish_report(plan.search, copy.uri, tmp_path / "reports")
    assert (place / "report.md").exists() and verdict


def test_a_report_says_that_the_files_of_a_moved_search_are_away(
    copy: Stored, tmp_path: Path
) -> None:
    plan, client = new_search(copy, tmp_path, name="bare"), open_client(copy.uri)
    _, said = publish_report(plan.search, copy.uri, tmp_path / "reports")
    assert "warning" not in said
    place = client.get_run(plan.summary_run).info.artifact_uri
    shutil.rmtree(place.removeprefix("file://"))
    for _ in range(2):  # the first report writes itself to that place
        written, said = publish_report(plan.search, copy.uri, tmp_path / "reports")
        warning = f"warning: the search's artifacts are not at {place}, where the store has them"
        assert f"\n{warning}" in said
        assert warning in (written / "report.md").read_text()


def test_a_report_needs_no_training_function(copy: Stored, store: Stored, tmp_path: Path) -> None:
    spec_yaml = hills_spec().to_yaml().replace(FUNCTION, "moved_since.functions:two_hills")
    assert "moved_since" in spec_yaml
    create_summary(
        open_client(copy.uri), store.plan.experiment, search="moved-1", task=store.plan.task,
        fingerprint={"name": "hills"}, spec_yaml=spec_yaml, space_json=store.plan.space.to_json(),
        objectives=HILLS, storage=tmp_path,
        trials_budget=5, numbers={"epochs": 4, "seed": 0}, warm_started_from=[], environment={},
    )  # fmt: skip
    publish_report("moved-1", copy.uri, tmp_path / "reports")

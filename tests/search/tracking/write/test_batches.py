"""A large batch takes several calls, and an empty one none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search.tracking.write.batch import METRICS_A_BATCH, TAGS_A_BATCH, Batch
from tests.support.stores import new_store


@pytest.mark.slow
def test_a_batch_beyond_mlflows_limits_arrives_whole(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    run = store.client.create_run(store.experiment).info.run_id
    batch = Batch(
        params={f"p{index}": index for index in range(250)},
        tags={f"t{index}": str(index) for index in range(250)},
    )
    metrics = {f"m{index}": index / 2 for index in range(1_900)}
    batch.add_metrics(metrics, time=1_760_000_000_000, step=3)
    batch.log(store.client, run)
    data = store.client.get_run(run).data
    assert data.metrics == metrics
    assert data.params == {f"p{index}": str(index) for index in range(250)}
    assert {f"t{index}": str(index) for index in range(250)}.items() <= data.tags.items()


def test_the_last_tags_come_with_the_last_metrics() -> None:
    batch, calls = Batch(tags={f"t{index}": "" for index in range(TAGS_A_BATCH + 1)}), []
    for epoch in range(3):
        metrics = {f"m{index}": 0.0 for index in range(METRICS_A_BATCH)}
        batch.add_metrics(metrics, time=0, step=epoch)

    class Client:
        def log_batch(
            self, run: str, metrics: list[Any], params: list[Any], tags: list[Any]
        ) -> None:
            calls.append(([each.step for each in metrics], [each.key for each in tags]))

    batch.log(Client(), "run")
    assert [set(steps) for steps, _ in calls] == [{0}, {1}, {2}]
    assert [len(tags) for _, tags in calls] == [0, TAGS_A_BATCH, 1]
    assert calls[-1][1] == [f"t{TAGS_A_BATCH}"]


def test_an_empty_batch_makes_no_request() -> None:
    Batch().log(object(), "run")  # type: ignore[arg-type]  # which has no `log_batch`

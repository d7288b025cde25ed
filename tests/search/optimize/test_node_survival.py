"""A node that vanishes: real Ray nodes, all on this machine.

What it took to notice and to recover is printed: `pytest -s`.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from tests.launches import PATIENCE_SECONDS, ROOT, Place, assert_truthful, finished, hills

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 3, 25
NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three nodes of one core; the first is the head."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    started = Cluster(initialize_head=True, head_node_args=NODE | {"include_dashboard": False})
    try:
        for _ in range(2):
            started.add_node(**NODE)
        yield started
    finally:
        started.shutdown()


def running_search(place: Place, cluster: Cluster) -> tuple[subprocess.Popen[str], str]:
    """A search with a trial on each node, of which each has ended an epoch."""
    budget = {"trials": TRIALS, "epochs": EPOCHS}
    spec = hills(budget=budget, resources={"parallelism": 3, "cpus": 1})
    spec["task"]["settings"] = {"pause": 1.0}
    command = place.run(spec, "--address", cluster.address)
    search = place.search()

    def all_run() -> bool:
        assert command.poll() is None, command.communicate()[0]
        return len({e.fields["number"] for e in place.events(search) if e.name == "epoch"}) >= 3

    seconds_until(all_run)
    return command, search


def seconds_until(is_so: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < PATIENCE_SECONDS, "it did not come"
        time.sleep(0.1)
    return time.monotonic() - began


def begun_again(place: Place, search: str) -> int:
    """How often an epoch was begun again, because its worker had gone."""
    again = 0
    for notes in (place.folder / "storage" / search).rglob("attempts_1.jsonl"):
        begun = [json.loads(line)["epoch"] for line in notes.read_text().splitlines() if line]
        again += len(begun) - len(set(begun))
    return again


def test_a_node_that_vanishes_without_grace_costs_no_trial(
    tmp_path: Path, cluster: Cluster
) -> None:
    place = Place(tmp_path)
    command, search = running_search(place, cluster)
    node = next(node for node in cluster.list_all_nodes() if not node.is_head())
    cluster.add_node(**NODE)  # or its trial would wait until another one ends
    cluster.remove_node(node, allow_graceful=False)
    restarted = seconds_until(lambda: begun_again(place, search) > 0)
    print(f"the trial began again {restarted:.0f} s after its node had gone")
    finished(command)
    assert_truthful(place, search, TRIALS, EPOCHS)

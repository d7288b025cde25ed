"""A node is lost: real Ray nodes, all on this machine.

What it took to notice and to recover is printed: `pytest -s`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from search.cli.stored_searches import log_of_trial
from tests.support.launches import Place, assert_truthful, finished, hills
from tests.support.ray_nodes import NODE, running_nodes, seconds_until, started_again

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 3, 25


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with running_nodes(3, monkeypatch) as nodes:
        yield nodes


def running_search(
    place: Place, cluster: Cluster, function: str = "slow_hills", **settings: Any
) -> tuple[subprocess.Popen[str], str]:
    """Starts a search with a trial on each node; each has ended an epoch."""
    budget = {"trials": TRIALS, "epochs": EPOCHS}
    spec = hills(function, budget=budget, resources={"parallelism": 3, "cpus": 1})
    spec["task"]["settings"] = {"pause": 1.0, **settings}
    command = place.run(spec, "--address", cluster.address)
    search = place.search()

    def all_run() -> bool:
        assert command.poll() is None, command.communicate()[0]
        return len({e.fields["number"] for e in place.events(search) if e.name == "epoch"}) >= 3

    seconds_until(all_run)
    return command, search


def lose_a_node(place: Place, cluster: Cluster, search: str) -> None:
    """Ends a node without warning, and waits until its trial is started again elsewhere."""
    node = next(node for node in cluster.list_all_nodes() if not node.is_head())
    cluster.add_node(**NODE)  # or its trial would wait until another one ends
    cluster.remove_node(node, allow_graceful=False)
    storage = place.folder / "storage" / search
    restarted = seconds_until(lambda: started_again(storage) > 0)
    print(f"the trial was started again {restarted:.0f} s after its node had gone")


def test_a_node_that_is_lost_without_warning_costs_no_trial(
    tmp_path: Path, cluster: Cluster
) -> None:
    place = Place(tmp_path)
    command, search = running_search(place, cluster)
    lose_a_node(place, cluster, search)
    finished(command)
    assert_truthful(place, search, TRIALS, EPOCHS)


@pytest.mark.long
def test_an_own_function_continues_from_its_own_checkpoint_when_its_node_is_lost(
    tmp_path: Path, cluster: Cluster
) -> None:
    place, own = Place(tmp_path), {"trained": str(tmp_path / "trained"), "how": ""}
    command, search = running_search(place, cluster, "counted_epochs", **own)
    lose_a_node(place, cluster, search)
    finished(command)
    assert_truthful(place, search, TRIALS, EPOCHS)
    for number in range(TRIALS):
        log = log_of_trial(place.uri, search, number).splitlines()
        trained = [int(line.split()[-1]) for line in log if line.startswith("training epoch")]
        assert trained == sorted(trained), "it has not begun anew"
        assert set(trained) == set(range(1, EPOCHS + 1))
        assert len(trained) <= EPOCHS + 1, "only the epoch that was cut off is trained again"

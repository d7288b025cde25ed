"""A search whose data set must go into an object store that another driver has filled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from tests.support.launches import ROOT, Place, finished, small_digits
from tests.support.ray_nodes import NODE, running_nodes

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 3, 2


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with running_nodes(1, monkeypatch, NODE | {"num_cpus": 2}) as nodes:
        yield nodes


@pytest.mark.long
def test_a_search_completes_although_others_have_filled_the_object_store(
    tmp_path: Path, cluster: Cluster
) -> None:
    place = Place(tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-m", "tests.support.filling_store", cluster.address],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, env=os.environ | {"RAY_DEDUP_LOGS": "0"},
    )  # fmt: skip
    try:
        assert other.stdout is not None
        said = other.stdout.readline().split()
        assert said[0] == "full" and int(said[1]) > int(said[2]), "it holds more than there is"
        began = time.monotonic()
        spec = small_digits(budget={"trials": TRIALS, "epochs": EPOCHS})
        finished(place.run(spec, "--address", cluster.address))
        print(f"the search took {time.monotonic() - began:.0f} s with a full object store")
        assert other.poll() is None, "the store was full to the end"
    finally:
        other.kill()
        other.wait()
    runs = place.raw_runs(place.search())
    assert sorted(int(run.data.tags["twentieth.number"]) for run in runs) == list(range(TRIALS))
    assert {run.info.status for run in runs} == {"FINISHED"}

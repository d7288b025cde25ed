"""Real Ray nodes on this machine, and traces of lost workers in a search's storage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from search.tracking.write.journal import read_events
from tests.support.launches import PATIENCE_SECONDS, ROOT

# The least that Ray takes is 75 MiB.
NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}


@contextmanager
def running_nodes(
    count: int, monkeypatch: pytest.MonkeyPatch, node: Mapping[str, Any] = NODE
) -> Iterator[Cluster]:
    """Starts nodes of one core; the first is the head. Workers can import the tests' functions."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    started = Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )  # fmt: skip
    try:
        for _ in range(count - 1):
            started.add_node(**node)
        yield started
    finally:
        started.shutdown()


def seconds_until(is_so: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> float:
    """Waits for a condition; returns after how many seconds it held."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < patience, "it did not come"
        time.sleep(0.1)
    return time.monotonic() - began


def begun_again(storage: Path) -> int:
    """Counts how often trials of a search began an epoch again, because a worker was lost.

    Args:
        storage: The search's folder.
    """
    again = 0
    for notes in storage.rglob("attempts_*.jsonl"):
        begun = [json.loads(line)["epoch"] for line in notes.read_text().splitlines() if line]
        again += len(begun) - len(set(begun))
    return again


def started_again(storage: Path) -> int:
    """Counts the trials of a search that were started again after they had lost a worker.

    No epoch begins twice where the worker was between two (`begun_again`).

    Args:
        storage: The search's folder.
    """
    said = " lost its worker"  # with or without notice to its node
    return sum(said in event.fields.get("message", "") for event in read_events(storage))

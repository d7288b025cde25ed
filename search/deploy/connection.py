"""The way to a cluster's job service, from a machine that has its file and its keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from search.deploy.cluster_file import ClusterFile
from search.deploy.jobs import Service, open_service
from search.deploy.launcher import tunnel


@contextlib.contextmanager
def connection(cluster: ClusterFile, project: Path) -> Iterator[Service]:
    """The job service, for as long as the tunnel to it is open.

    Raises:
        ConnectionError: No head is up that can be reached.
        RuntimeError: It refuses our token.
    """
    with tunnel(cluster, log_of(cluster, project)) as address:
        yield open_service(address)


def log_of(cluster: ClusterFile, project: Path) -> Path:
    """Where what Ray's launcher says of a cluster goes."""
    return project / "results" / "clusters" / f"{cluster.name}.log"

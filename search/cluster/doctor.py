"""All checks in their order: this machine or a cluster's nodes first, then the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from search.cluster import capacity, consistency, security, storage, store
from search.cluster.check import Check, run_check
from search.cluster.nodes import HERE, Nodes, nodes_to_come
from search.spec import Spec

# A node's first answer waits for a worker process with our code; on two busy cores 30 s were seen.
SECONDS = 120.0


@dataclass(frozen=True)
class DoctorRequest:
    """What to look at; not at what is None."""

    spec: Spec | None
    tracking_uri: str | None
    results: Path | None


def examine(
    asked: DoctorRequest, nodes: Nodes, cluster: security.Cluster | None = None
) -> Iterator[Check]:
    """Every check, as it ends; `cluster` if the nodes are Ray's."""
    place = asked.results and asked.results / "storage"
    steps: list[tuple[str, Callable[[], Iterable[Check]], float]] = [
        ("versions", lambda: consistency.check_versions(nodes), SECONDS),
        ("disk", lambda: capacity.check_disk(nodes, place), SECONDS),
    ]
    if place is not None:
        steps.insert(1, ("storage", lambda: storage.check_storage(nodes, place), SECONDS))
    if cluster is not None:
        steps.append(("clocks", lambda: consistency.check_clocks(nodes), SECONDS))
        steps.append(("token", lambda: security.check_token(nodes), SECONDS))
        steps.append(("dashboard", lambda: security.check_dashboard(cluster), SECONDS))
        steps.append(("head", lambda: security.check_head(cluster), SECONDS))
        steps.append(("ports", lambda: security.check_ports(nodes), SECONDS))
    if spec := asked.spec:
        to_come = nodes_to_come(Path.home()) if cluster is not None else {}
        steps.append(
            ("trials that fit", lambda: _trials(nodes, spec, to_come), 2 * capacity.GPU_SECONDS)
        )
        steps.append(
            (
                "data set",
                lambda: consistency.check_data(nodes, spec),
                2 * consistency.DIGEST_SECONDS,
            )
        )
        steps.append(("params", lambda: store.check_params(spec), SECONDS))
    if uri := asked.tracking_uri:
        on_cluster = cluster is not None
        kept = lambda: store.check_tracking_store(uri, is_cluster=on_cluster)  # noqa: E731
        steps.append(("tracking store", kept, SECONDS))
        steps.append(("access to store", lambda: store.check_access(uri), SECONDS))
    for name, check, seconds in steps:
        yield from run_check(name, check, seconds)


def _trials(
    nodes: Nodes, spec: Spec, to_come: Mapping[str, Mapping[str, float]]
) -> Iterator[Check]:
    """GPUs that work, where the spec wants some, and the trials that fit."""
    offered = {name: dict(each) for name, each in nodes.resources.items()}
    none_is_up = bool(to_come) and not any(each.get("GPU") for each in offered.values())
    if spec.resources.gpus and not none_is_up:
        replies = nodes.ask(capacity.devices_of_node, seconds=capacity.GPU_SECONDS)
        yield from capacity.check_gpus(nodes, replies)
        if HERE in offered and replies[HERE].value:
            offered[HERE]["GPU"] = float(len(replies[HERE].value["devices"]))
    yield from capacity.check_fitting(offered, spec.resources, to_come)

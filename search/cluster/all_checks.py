"""All checks in their order: this machine or a cluster's nodes first, then the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from search.cluster import capacity, consistency, security, storage, tracking_store
from search.cluster.check import Check, run_check
from search.cluster.nodes import HERE, Nodes, RayNodes, ThisMachine, autoscaler_node_types
from search.spec import Spec

# A node's first answer waits for a worker process with our code; on two busy cores 30 s were seen.
SECONDS = 120.0
# A data set and a pretrained model.
DATA_SECONDS = 2 * consistency.DIGEST_SECONDS


def examine(
    nodes: Nodes, spec: Spec | None, tracking_uri: str | None, results: Path | None
) -> Iterator[Check]:
    """Yield every check as it ends; what is None is not checked.

    Args:
        nodes: This machine or a cluster's nodes.
        spec: What its trials need is checked too.
        tracking_uri: The MLflow store or server.
        results: Its folder `storage` must be shared by all nodes.
    """
    place = results and results / "storage"
    steps: list[tuple[str, Callable[[], Iterable[Check]], float]] = [
        ("versions", lambda: consistency.check_versions(nodes), SECONDS),
        ("disk", lambda: capacity.check_disk(nodes, place), SECONDS),
    ]
    if place is not None:
        steps.insert(1, ("storage", lambda: [storage.check_storage(nodes, place)], SECONDS))
    if isinstance(nodes, ThisMachine):
        steps.append(("temporary folder", capacity.check_session_folder, SECONDS))
    else:
        steps += [
            ("clocks", lambda: [consistency.check_clocks(nodes)], SECONDS),
            ("token", lambda: [security.check_token(nodes)], SECONDS),
            ("dashboard", lambda: security.check_dashboard(nodes), SECONDS),
            ("head", lambda: [security.check_head(nodes.gcs)], SECONDS),
            ("ports", lambda: security.check_ports(nodes), SECONDS),
        ]
    if spec is not None:
        steps += [
            ("trials that fit", lambda: _trials(nodes, spec), 2 * capacity.GPU_SECONDS),
            ("data set", lambda: consistency.check_data(nodes, spec), DATA_SECONDS),
            ("params", lambda: [tracking_store.check_params(spec)], SECONDS),
        ]
        if not spec.task.is_function:
            steps.append(("a trial", lambda: [consistency.check_trial(spec)], DATA_SECONDS))
        if spec.task.code:
            steps.append(("own code", lambda: [consistency.check_code(spec)], DATA_SECONDS))
    if tracking_uri:
        steps += [
            (
                tracking_store.STORE,
                lambda: tracking_store.check_tracking_store(
                    tracking_uri, is_cluster=isinstance(nodes, RayNodes)
                ),
                SECONDS,
            ),
            (tracking_store.ACCESS, lambda: tracking_store.check_access(tracking_uri), SECONDS),
        ]
    for name, check, seconds in steps:
        yield from run_check(name, check, seconds)


def _trials(nodes: Nodes, spec: Spec) -> Iterator[Check]:
    """Check the GPUs, if the spec wants some, and then which trials fit."""
    node_types = autoscaler_node_types(Path.home()) if isinstance(nodes, RayNodes) else {}
    offered = {name: dict(each) for name, each in nodes.resources.items()}
    none_is_up = bool(node_types) and not any(each.get("GPU") for each in offered.values())
    if spec.resources.gpus and not none_is_up:
        replies = nodes.ask(capacity.devices_of_node, seconds=capacity.GPU_SECONDS)
        yield capacity.check_gpus(nodes, replies)
        if HERE in offered and replies[HERE].value:
            offered[HERE]["GPU"] = float(len(replies[HERE].value["devices"]))
    yield capacity.check_fitting(offered, spec.resources, node_types)

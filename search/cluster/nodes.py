"""Nodes: the machines that are looked at, and a way to run a function on each.

This machine, or the nodes of a running Ray cluster, asked by one task each that takes no core; and
the kinds of node that its autoscaler may still bring, from what Ray left on its head.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
import yaml

from search.cluster.access import admit, located
from search.cluster.check import in_a_line
from search.optimize.bundle import code_for_workers

HERE = "this machine"


@dataclass(frozen=True)
class Reply:
    """What a function returned on a node, or why it did not."""

    value: Any = None
    problem: str = ""


class Nodes(Protocol):
    """One or more machines that a search would use."""

    @property
    def resources(self) -> Mapping[str, Mapping[str, float]]:
        """Node -> what it offers: "CPU", "GPU", "memory" in bytes."""

    def ask(
        self, function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        """Runs a function of a module of ours on every node at once."""


class ThisMachine:
    """A search without a cluster: one node, and no Ray to ask it through."""

    @property
    def resources(self) -> Mapping[str, Mapping[str, float]]:
        """Cores and memory; GPUs are counted by whoever tries them."""
        cores = len(os.sched_getaffinity(0))
        return {HERE: {"CPU": float(cores), "memory": float(psutil.virtual_memory().total)}}

    def ask(
        self, function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        """Calls it; `guarded` bounds the time."""
        try:
            return {HERE: Reply(function(*arguments))}
        except Exception as error:  # as on a cluster: an answer, not an end
            return {HERE: Reply(problem=in_a_line(error))}


def problems(replies: Mapping[str, Reply]) -> str:
    """What went wrong where, in a line; empty if all answered."""
    wrong = [f"{name}: {reply.problem}" for name, reply in replies.items() if reply.problem]
    return "; ".join(wrong[:4]) + (f"; and {len(wrong) - 4} more nodes" if len(wrong) > 4 else "")


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Runs on a node. An error comes back as its text: its class may be unknown to the driver."""
    try:
        return True, function(*arguments)
    except Exception as error:
        return False, in_a_line(error)


@dataclass(frozen=True)
class RayNodes:
    """Those alive when the cluster was joined.

    Attributes:
        ids: Node, by its address, and where two share one by their id too -> Ray's id.
        resources: Node -> what it offers.
        head: The name of the head.
        head_address: Its address, without a port.
        gcs: `host:port` of the head's store of the cluster's state.
        dashboard: `host:port`, empty if there is none.
    """

    ids: Mapping[str, str]
    resources: Mapping[str, Mapping[str, float]]
    head: str
    head_address: str
    gcs: str
    dashboard: str

    def ask(
        self, function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        """Runs it on every node at once; who does not answer in time has a problem."""
        return self.ask_some(list(self.ids), function, *arguments, seconds=seconds)

    def ask_some(
        self, names: list[str], function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        """Runs it on the nodes that are named."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = ray.remote(num_cpus=0, max_retries=0)(_run)
        waiting = {
            name: task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(self.ids[name], soft=False)
            ).remote(function, arguments)
            for name in names
        }
        deadline = time.monotonic() + seconds
        replies = {}
        for name, answer in waiting.items():
            try:
                is_well, value = ray.get(answer, timeout=max(0.1, deadline - time.monotonic()))
                replies[name] = Reply(value) if is_well else Reply(problem=str(value))
            except ray.exceptions.GetTimeoutError:
                replies[name] = Reply(problem=f"no answer within {seconds:.0f} s")
            except ray.exceptions.RayError as error:
                replies[name] = Reply(problem=in_a_line(error))
        return replies


@contextlib.contextmanager
def join_cluster(address: str, environment: MutableMapping[str, str]) -> Iterator[RayNodes]:
    """Joins the cluster at `address` ("auto", or host:port), with our code as a search brings it.

    Args:
        address: Of the cluster.
        environment: Of this process: where it has Ray's token, and which cluster "auto" is.

    Raises:
        ConnectionError: No cluster answers there, or it refuses us: within seconds, where Ray
            itself tries for 40 s to minutes.
    """
    place = located(address, environment)
    admit(place, environment)
    import ray

    context = ray.init(
        address=place,
        runtime_env=code_for_workers(),
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        alive = [node for node in ray.nodes() if node["Alive"]]
        names = _names(alive)
        head = next(n for n in alive if "node:__internal_head__" in n["Resources"])
        yield RayNodes(
            ids={names[node["NodeID"]]: node["NodeID"] for node in alive},
            resources={names[node["NodeID"]]: node["Resources"] for node in alive},
            head=names[head["NodeID"]], head_address=head["NodeManagerAddress"],
            gcs=context.address_info["gcs_address"], dashboard=context.dashboard_url or "",
        )  # fmt: skip
    finally:
        ray.shutdown()


def _names(nodes: list[dict[str, Any]]) -> dict[str, str]:
    """Id -> a node's address; nodes that share one (several on a machine) carry their id too."""
    addresses = [node["NodeManagerAddress"] for node in nodes]
    return {
        node["NodeID"]: node["NodeManagerAddress"]
        if addresses.count(node["NodeManagerAddress"]) == 1
        else f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"
        for node in nodes
    }


# Where Ray's launcher puts it in the home of the user that it logs in as.
BOOTSTRAP = "ray_bootstrap_config.yaml"


def nodes_to_come(home: Path) -> dict[str, dict[str, float]]:
    """Kind of node -> what one offers, as Ray names it; empty where none can come.

    Args:
        home: Of the user on the head. A file there that cannot be read counts as none.
    """
    try:
        document = yaml.safe_load((home / BOOTSTRAP).read_text())
        if document["provider"]["type"] == "local":
            return {}
        kinds: dict[str, Any] = document["available_node_types"]
        return {
            name: {resource: float(amount) for resource, amount in kind["resources"].items()}
            for name, kind in kinds.items()
            if name != document["head_node_type"] and kind.get("max_workers", 0) > 0
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return {}

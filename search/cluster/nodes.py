"""Nodes: the machines that are checked, and a way to run a function on each.

Either this machine, or the nodes of a running Ray cluster, each asked by a task that takes no core.
Also the types of node that Ray's autoscaler may still add, from what Ray left on its head.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from search.cluster.access import admit, located
from search.cluster.check import in_a_line
from search.history.plurals import counted
from search.optimize.bundle import code_for_workers
from search.optimize.cores import machine_cpus, machine_memory

HERE = "this machine"


@dataclass(frozen=True)
class Reply:
    """What a function returned on a node, or why it did not."""

    value: Any = None
    problem: str = ""


def reply_to(function: Callable[..., Any], *arguments: Any) -> Reply:
    """Run a function. An error comes back as text: its class may be unknown to the driver."""
    try:
        return Reply(function(*arguments))
    except Exception as error:
        return Reply(problem=in_a_line(error))


def problems(replies: Mapping[str, Reply]) -> str:
    """Return what went wrong where, in a line; empty if all nodes answered."""
    wrong = [f"{name}: {reply.problem}" for name, reply in replies.items() if reply.problem]
    more = f"; and {counted(len(wrong) - 4, 'more node')}" if len(wrong) > 4 else ""
    return "; ".join(wrong[:4]) + more


class ThisMachine:
    """A search without a cluster: one node, and no Ray to ask it through."""

    @property
    def resources(self) -> Mapping[str, Mapping[str, float]]:
        """Cores and memory in bytes, of its container; a check of the GPUs counts those."""
        return {HERE: {"CPU": float(machine_cpus()), "memory": float(machine_memory())}}

    def ask(
        self, function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        """Run a function here; `run_check` limits the time."""
        return {HERE: reply_to(function, *arguments)}


@dataclass(frozen=True)
class RayNodes:
    """The nodes that were alive when the cluster was joined.

    Attributes:
        ids: Node, by its address, and where several share one by its id too -> Ray's id.
        resources: Node -> what it offers: "CPU", "GPU", "memory" in bytes.
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
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float = 60,
        names: Iterable[str] | None = None,
    ) -> dict[str, Reply]:
        """Run a function of a module of ours on every node at once, or on those in `names`.

        A node that does not answer within `seconds` has a problem.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = ray.remote(num_cpus=0, max_retries=0)(reply_to)
        waiting = {
            name: task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(self.ids[name], soft=False)
            ).remote(function, *arguments)
            for name in (self.ids if names is None else names)
        }
        deadline = time.monotonic() + seconds
        replies: dict[str, Reply] = {}
        for name, answer in waiting.items():
            try:
                replies[name] = ray.get(answer, timeout=max(0.1, deadline - time.monotonic()))
            except ray.exceptions.GetTimeoutError:
                replies[name] = Reply(problem=f"no answer within {seconds:.0f} s")
            except ray.exceptions.RayError as error:
                replies[name] = Reply(problem=in_a_line(error))
        return replies


Nodes = ThisMachine | RayNodes


@contextlib.contextmanager
def join_cluster(address: str, environment: MutableMapping[str, str]) -> Iterator[RayNodes]:
    """Join the cluster at `address` ("auto", or host:port), with our code as a search brings it.

    Args:
        address: The cluster's.
        environment: This process's: it has Ray's token, and says which cluster "auto" is.

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
    """Return id -> address; nodes that share one (several on a machine) carry their id too."""
    addresses = [node["NodeManagerAddress"] for node in nodes]
    return {
        node["NodeID"]: node["NodeManagerAddress"]
        if addresses.count(node["NodeManagerAddress"]) == 1
        else f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"
        for node in nodes
    }


# Where Ray's launcher puts it in the home of the user that it logs in as.
BOOTSTRAP = "ray_bootstrap_config.yaml"


def autoscaler_node_types(home: Path) -> dict[str, dict[str, float]]:
    """Return node type -> what one such node offers; empty where the autoscaler can add none.

    Args:
        home: The home of Ray's user on the head. A file there that cannot be read counts as none.
    """
    try:
        document = yaml.safe_load((home / BOOTSTRAP).read_text())
        if document["provider"]["type"] == "local":
            return {}
        return {
            name: {resource: float(amount) for resource, amount in each["resources"].items()}
            for name, each in document["available_node_types"].items()
            if name != document["head_node_type"] and each.get("max_workers", 0) > 0
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return {}

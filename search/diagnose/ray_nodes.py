"""The nodes of a running Ray cluster, asked by one task each that takes no core.

For joining a cluster to look at it. Not for starting one.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from search.diagnose.admission import admit, located
from search.diagnose.check import in_a_line
from search.diagnose.nodes import Reply
from search.optimize.bundle import code_for_workers


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
def joined(address: str, environment: MutableMapping[str, str]) -> Iterator[RayNodes]:
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

"""Nodes: the machines that are looked at, and a way to run a function on each.

Here the one machine of a local search; `ray_nodes.py` has those of a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import psutil

from search.diagnose.check import in_a_line

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

"""Whether every node reads the same data set and the same pretrained model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.base_model import locate_base
from models.catalog import data_kind, describe_data
from search.diagnose.check import Check, failed, listed, passed
from search.diagnose.nodes import Nodes, Reply, problems
from search.spec import Spec

# A large data set is hashed whole: at 200 MB a second, a minute for 12 GB.
SECONDS = 300.0


def data_digest(settings: dict[str, Any], kind: str) -> str:
    """Runs on a node: the digest of a task's data set.

    Raises:
        ValueError: It is missing or damaged.
    """
    return describe_data(settings, kind).digest


def base_digest(base: str) -> str:
    """Runs on a node: the digest of a pretrained model.

    Raises:
        ValueError: It is missing or damaged.
    """
    return locate_base(base).digest


def check_data(nodes: Nodes, spec: Spec) -> Iterator[Check]:
    """One check of the data set and one of the pretrained model, of those the spec names."""
    task = spec.task
    if task.data:
        kind = "images" if task.is_function else data_kind(task.model)
        here = data_digest(task.data, kind)
        yield judge("data set", here, nodes.ask(data_digest, task.data, kind, seconds=SECONDS))
    if task.base:
        here = base_digest(task.base)
        yield judge("base model", here, nodes.ask(base_digest, task.base, seconds=SECONDS))


def judge(name: str, here: str, replies: Mapping[str, Reply]) -> Check:
    """Whether all nodes gave the digest that it has here."""
    mend = "put it at the same path on every node (on shared storage), the same files"
    if wrong := problems(replies):
        return failed(name, f"cannot be read on {wrong}", mend)
    other = [node for node, reply in replies.items() if reply.value != here]
    if other:
        return failed(name, f"differs from the driver's ({here}) on {listed(other)}", mend)
    count = "1 node" if len(replies) == 1 else f"{len(replies)} nodes"
    return passed(name, f"{here} on {count}")

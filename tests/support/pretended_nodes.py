"""Nodes for tests: each runs the functions here, with answers or folders of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search.cluster.nodes import Reply, reply_to


class PretendedNodes:
    """`folders` maps a node to the folder that it has in place of the one that is asked about."""

    def __init__(
        self, names: tuple[str, ...] = ("a", "b"), folders: Mapping[str, Path] | None = None
    ) -> None:
        self.resources = {name: {"CPU": 2.0} for name in names}
        self._folders = folders or {}

    def ask(
        self, function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        replies = {}
        for name in self.resources:
            own = self._folders.get(name)
            given = (str(own), *arguments[1:]) if own else arguments
            replies[name] = reply_to(function, *given)
        return replies

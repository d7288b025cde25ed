"""Nodes for tests, which run functions in this process, each with its own folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search.cluster.nodes import Reply, reply_to


class PretendedNodes:
    """Nodes of two cores; `folders` maps a node to its own folder, used for the one in a call."""

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

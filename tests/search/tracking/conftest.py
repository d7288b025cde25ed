from __future__ import annotations

from tests.support.fixtures import server, store

__all__ = ["server", "store"]

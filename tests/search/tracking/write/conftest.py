from __future__ import annotations

from tests.support.fixtures import server

__all__ = ["server"]

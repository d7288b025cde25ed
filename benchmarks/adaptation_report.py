"""The report of benchmarks/adaptation.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Found:
    """What was measured: records of cells, of tests, of the tuned search, and where that was."""

    cells: Sequence[Mapping[str, Any]]
    tests: Sequence[Mapping[str, Any]]
    tuned: Mapping[str, Any] | None
    facts: Mapping[str, str] | None

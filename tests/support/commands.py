"""What a command of the command line said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What a command said, and the number it exited with."""

    code: int
    out: str
    err: str

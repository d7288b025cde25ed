"""A training function of which no worker survives the set-up of its second trial.

Set-up looks the function up in this module, so this is where a worker can be made to die while the
trial that it was handed is not running yet, as one does whose node has just been lost.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.support.functions import two_hills

_trained = False


def _hills(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    global _trained
    _trained = True
    yield from two_hills(configuration, epochs=epochs, seed=seed)


if TYPE_CHECKING:
    hills = _hills  # read in the source, before a search, and made below


def __getattr__(name: str) -> Any:
    if name != "hills":
        raise AttributeError(name)
    if _trained:
        os.kill(os.getpid(), signal.SIGKILL)
    return _hills

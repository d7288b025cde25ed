"""Stand-ins for two packages that `models/` imports and the parts of `make gpu` do not use.

A machine with PyTorch, transformers and peft may lack pydantic, which checks the settings of a
spec, and platformdirs, which names the cache of data sets. The parts read no spec and no data set,
so a dataclass without checks and a folder that is never opened do. Where the packages are
installed, they are used. Not for anything else: a search needs the full installation.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import tempfile
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def stand_in() -> list[str]:
    """Put a stand-in into `sys.modules` for each package that is not installed; return which."""
    absent = [name for name in ("pydantic", "platformdirs") if not _is_installed(name)]
    for name in absent:
        if name == "pydantic":
            _add("pydantic", **_pydantic())
            _add("pydantic.dataclasses", dataclass=_dataclass)
        else:
            _add("platformdirs", user_cache_dir=lambda name: f"{tempfile.gettempdir()}/{name}")
    return absent


def _is_installed(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _pydantic() -> dict[str, Any]:
    def anything(*_: Any, **__: Any) -> None:
        return None

    def unchanged(*_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda function: function

    return {
        "BeforeValidator": anything, "Field": anything, "ConfigDict": dict,
        "ValidationInfo": object, "field_validator": unchanged,
    }  # fmt: skip


def _dataclass(*, frozen: bool, config: Any) -> Callable[[type], type]:
    """Return the decorator of a plain dataclass; nothing is checked."""
    return dataclasses.dataclass(frozen=frozen)


def _add(name: str, **content: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(content)
    sys.modules[name] = module


# As a plugin of pytest (`-p benchmarks.gpu.absent_packages`) importing it is all that is done.
ABSENT = stand_in()

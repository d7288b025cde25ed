"""Twentieth: hyperparameter search that starts from all earlier trials.

import search

history = search.load_history("http://mlflow.example.org:5000", ["digits*"])
sampler = search.WarmStartSampler(history, task="digits-cnn@ab12cd34")
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.apply import WarmStartSampler as WarmStartSampler
    from search.history import History as History
    from search.history import Trial as Trial
    from search.objectives import Objective as Objective
    from search.tracking.read.history import load_history as load_history

_HOME = Path(__file__).resolve().parents[1]
_found = find_spec("models")
_place = _found.origin if _found is not None else None
if _place is None or Path(_place).resolve().parents[1] != _HOME:
    _hidden = f"{_place} hides Twentieth's package models; fix: rename it, or run elsewhere"
    # From a command, also while Python looks for that of `python -m search`, it is one sentence.
    is_command = Path(sys.argv[0]).stem in ("-m", "twentieth")
    raise SystemExit(_hidden) if is_command else ImportError(_hidden)

# Imported on first access: together they take seconds, which `twentieth --help` does not need.
_PLACES = {
    "History": ("search.history", "History"),
    "Objective": ("search.objectives", "Objective"),
    "Trial": ("search.history", "Trial"),
    "WarmStartSampler": ("search.apply", "WarmStartSampler"),
    "load_history": ("search.tracking.read.history", "load_history"),
}
__all__ = ["History", "Objective", "Trial", "WarmStartSampler", "load_history"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)

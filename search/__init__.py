"""Twentieth: hyperparameter search that starts from all earlier trials.

import search

result = search.run("search/specs/digits.yaml", trials=8)
print(result.best.configuration)
result = search.resume(result, trials=8)
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
    from search.session.result import Preview as Preview
    from search.session.result import Result as Result
    from search.session.run import SearchFailed as SearchFailed
    from search.session.run import preview as preview
    from search.session.run import resume as resume
    from search.session.run import run as run
    from search.session.run import show as show
    from search.spec import Spec as Spec
    from search.spec import SpecError as SpecError
    from search.spec import load_spec as load_spec
    from search.tracking.ownership import SearchIsAlive as SearchIsAlive
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
    "History": "search.history",
    "Objective": "search.objectives",
    "Preview": "search.session.result",
    "Result": "search.session.result",
    "SearchFailed": "search.session.run",
    "SearchIsAlive": "search.tracking.ownership",
    "Spec": "search.spec",
    "SpecError": "search.spec",
    "Trial": "search.history",
    "WarmStartSampler": "search.apply",
    "load_history": "search.tracking.read.history",
    "load_spec": "search.spec",
    "preview": "search.session.run",
    "resume": "search.session.run",
    "run": "search.session.run",
    "show": "search.session.run",
}
__all__ = [
    "History",
    "Objective",
    "Preview",
    "Result",
    "SearchFailed",
    "SearchIsAlive",
    "Spec",
    "SpecError",
    "Trial",
    "WarmStartSampler",
    "load_history",
    "load_spec",
    "preview",
    "resume",
    "run",
    "show",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]

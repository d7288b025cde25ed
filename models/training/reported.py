"""Checks of what a user's own training function reports: its metrics, and a state to continue from.

A mistake is an error that names the key, raised in the function's own frame, so that the traceback
has the place. Imports neither torch nor NumPy: where the function uses neither, no value is theirs.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_EXAMPLE = '{"accuracy": 0.9}'
# What `torch.load(weights_only=True)` reads besides containers and torch's own types.
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_OF_TORCH = ("Size", "dtype", "device", "Tensor")


def checked_metrics(metrics: object) -> dict[str, float]:
    """Return metrics as floats; tensors and NumPy scalars of one number are converted.

    NaN is a number here: it ends a trial whose objective it is.

    Raises:
        TypeError: they are no dict, a name is no text, or a value is no number; names the key.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics must be a dict such as {_EXAMPLE}, not {_a(metrics)}; "
                        f"fix: give the number a name")  # fmt: skip
    for name in metrics:
        if not isinstance(name, str):
            raise TypeError(f"the name of metric {name!r} is {_a(name)}; fix: use a text")
    return {name: _number(name, value) for name, value in metrics.items()}


def _number(name: str, value: Any) -> float:
    what = f"metric {name!r} is {_a(value)}"
    if isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool"):
        raise TypeError(f"{what}; fix: report a number, such as float(it)")
    if isinstance(value, int | float):
        return float(value)
    if value is None:
        raise TypeError(f"{what}; fix: report a number, or leave it out of this epoch")
    if isinstance(value, str):
        raise TypeError(f"{what}; fix: report a number, and print texts: they are in the log")
    shape = getattr(value, "shape", None)
    if shape is None:
        raise TypeError(f"{what}; fix: report one number under each name")
    if len(shape):
        raise TypeError(f"{what} of shape {tuple(shape)}; fix: report one number, such as "
                        f"its .mean().item()")  # fmt: skip
    return float(value.item())


def checked_state(state: Mapping[Any, Any]) -> None:
    """Check that a state will load again with `torch.load(weights_only=True)`.

    Raises:
        TypeError: a value in it would not; names its key and the fix.
    """
    _check_part(state, "checkpoint")


def checked_folder(folder: str | Path) -> Path:
    """Return the absolute path of a checkpoint folder.

    Raises:
        ValueError: there is no such folder, or it is a file.
    """
    path = Path(folder).absolute()
    if path.is_dir():
        return path
    if path.exists():
        raise ValueError(f"checkpoint {path} is a file; fix: pass the folder that it is in")
    raise ValueError(f"there is no checkpoint folder {path}; fix: write it before you report it")


def _check_part(value: Any, place: str) -> None:
    if type(value) in _PLAIN or _is_of_torch(value):
        return
    if type(value) in (dict, OrderedDict):
        for key, part in value.items():
            _check_part(key, f"a key of {place}")
            _check_part(part, f"{place}[{key!r}]")
        return
    if type(value) in (list, tuple, set):
        for index, part in enumerate(value):
            _check_part(part, f"{place}[{index}]")
        return
    raise TypeError(f"{place} is {_a(value)}, which torch.load(weights_only=True) refuses; "
                    f"fix: {_fix(value)}")  # fmt: skip


def _is_of_torch(value: Any) -> bool:
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    known = (*(getattr(torch, name) for name in _OF_TORCH), torch.nn.Parameter)
    return type(value) in known


def _fix(value: Any) -> str:
    if hasattr(value, "state_dict"):
        return "save its .state_dict()"
    module = type(value).__module__.partition(".")[0]
    if module == "numpy":
        return "save torch.from_numpy(it)" if getattr(value, "shape", ()) else "save its .item()"
    if isinstance(value, Mapping):
        return "save dict(it)"
    if isinstance(value, Path):
        return "save str(it)"
    return ("keep tensors and plain values, or write files into a folder and report that as the "
            "checkpoint")  # fmt: skip


def _a(value: object) -> str:
    """Return what a value is, in words: its type, and itself if it is short."""
    if value is None:
        return "None"
    kind, text = type(value).__name__, repr(value)
    is_short = isinstance(value, bool | str | int | float) and len(text) <= 40
    article = "an" if kind[0].lower() in "aeiou" else "a"
    return f"{article} {kind} ({text})" if is_short else f"{article} {kind}"

"""Passed code: a function of the user's that a script or a notebook passes as an object.

One that an importable module defines is an ordinary reference (`own_code.py`). Any other travels by
value: pickled by cloudpickle in the process that defines it, for that process's own driver and
workers. It is never stored. A specification names it `python:__main__:function`, and its digest
covers the source of the function and of the functions and classes of the session that it uses, the
plain constants among their globals, and the user's modules that they import.
Imports no torch.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from models.networks.own_code import (
    DIGITS,
    PREFIX,
    SESSION,
    PassedCode,
    code_in,
    imported_by,
    locate_code,
    normalised_source,
    project_files,
)

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def pass_code(function: Callable[..., Any]) -> str | PassedCode:
    """Return a function's ordinary reference, or the function itself where it has none.

    Raises:
        ValueError: it has no name or no source, or it refers to something that cannot be pickled.
    """
    name = getattr(function, "__name__", "")
    if not callable(function) or not name.isidentifier():
        raise ValueError(
            f"{function!r} is no function with a name; fix: define it by def, and pass that"
        )
    reference = f"{PREFIX}{function.__module__}:{name}"
    if _is_importable(function):
        try:
            locate_code(reference)
            return reference
        except ValueError:
            pass  # a module made at run time
    reference = f"{PREFIX}{SESSION}:{name}"
    # A driver and workers have it from Ray and MLflow; imported here, for `import search` has not.
    import cloudpickle

    digest = _digest(function, name)
    try:
        pickled = cloudpickle.dumps(function)
    except Exception as error:
        raise ValueError(
            f"{name} cannot travel to the workers: {type(error).__name__}: {error}; fix: make what "
            "it refers to inside of the function"
        ) from error
    return PassedCode(reference, digest, pickled, tuple(sys.path))


def _is_importable(function: Any) -> bool:
    is_at_top = function.__qualname__ == function.__name__
    module = sys.modules.get(function.__module__)
    if module is None or function.__module__ == SESSION or not is_at_top:
        return False
    return getattr(module, function.__name__, None) is function


def _digest(function: Any, name: str) -> str:
    """Return a digest over a function and what it uses of the session."""
    parts: set[tuple[str, bytes]] = set()
    modules: set[str] = set()
    waiting, seen = [function], set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        source = _source(found)
        parts.add((f"def {found.__qualname__}", source.encode()))
        modules |= set(imported_by(source, _package_of(found)))
        for label, used in _used_names(found):
            if isinstance(used, ModuleType):
                modules.add(used.__name__)
            elif _is_plain(used):
                parts.add((f"value {label}", repr(used).encode()))
            elif inspect.isfunction(used) or inspect.isclass(used):
                if _is_importable(used):
                    modules.add(used.__module__)
                else:
                    waiting.append(used)
    files = {name: file for module in modules for name, file in project_files(module).items()}
    parts |= {(f"module {each}", normalised_source(file)) for each, file in files.items()}
    digest = hashlib.sha256(name.encode())
    for label, content in sorted(parts):
        digest.update(f"\n{label} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:DIGITS]


def _source(found: Any) -> str:
    """Return the source of a function or a class.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return textwrap.dedent(inspect.getsource(found))
    except (OSError, TypeError) as error:
        # A notebook's class has no file (Python 3.11), but its methods have their cells.
        methods = [each for each in vars(found).values() if inspect.isfunction(each)]
        if inspect.isclass(found) and methods:
            return "\n".join(map(_source, methods))
        raise ValueError(
            f"the source of {found.__qualname__} cannot be read, by which a search tells whether "
            "it has changed; fix: define it in a file or in a cell of a notebook"
        ) from error


def _package_of(found: Any) -> str:
    """Return the package that defines a function or a class; "" outside of packages."""
    return getattr(sys.modules.get(found.__module__), "__package__", None) or ""


def _used_names(found: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function, or a class's methods, use of their globals and closures."""
    if inspect.isclass(found):
        yield from ((each.__qualname__, each) for each in found.__bases__)
        for method in vars(found).values():
            if inspect.isfunction(method):
                yield from _used_names(method)
        return
    function = inspect.unwrap(found)
    names = {name for code in code_in(function.__code__) for name in code.co_names}
    for name in names & function.__globals__.keys():
        used = function.__globals__[name]
        # Behind decorators that keep what they wrap, as functools does.
        yield name, used if isinstance(used, ModuleType) else inspect.unwrap(used)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:
            continue  # assigned later


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN

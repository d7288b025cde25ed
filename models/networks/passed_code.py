"""Passed code: a function of the user's that a script or a notebook passes as an object.

One that an importable module defines is an ordinary reference (`own_code.py`). Any other travels by
value: pickled by cloudpickle in the process that defines it, for that process's own driver and
workers. It is never stored. A specification names it `python:__main__:function`, and its digest
covers the source of the function and of the functions and classes of the session that it uses, the
plain constants among their globals, of a method also those of its object, and the user's modules
that they import.
Imports no torch.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import symtable
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
        for label, used in _used_names(found, source):
            if _is_plain(used):
                parts.add((f"value {label}", repr(used).encode()))
                continue
            code = _code_of(used)
            if isinstance(code, ModuleType):
                modules.add(code.__name__)
            elif _is_importable(code):
                modules.add(code.__module__)
            elif code is not type(used) or code.__module__ == SESSION:  # not of a library in C
                waiting.append(code)
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
        if inspect.isclass(found) and (source := _source_in_cells(found.__name__)):
            return source
        raise ValueError(
            f"the source of {found.__qualname__} cannot be read, by which a search tells whether "
            "it has changed; fix: define it by def or class, in a file or in a cell of a notebook"
        ) from error


def _source_in_cells(name: str) -> str:
    """Return the source of a notebook's class, for which Python knows no file; "" if there is none.

    IPython keeps the cells as `In`, in the order in which they were run.
    """
    cells = getattr(sys.modules.get(SESSION), "In", None)
    for cell in reversed(cells if isinstance(cells, list) else []):
        try:
            tree = ast.parse(cell)
        except (SyntaxError, ValueError, TypeError):
            continue
        for each in ast.walk(tree):
            if isinstance(each, ast.ClassDef) and each.name == name:
                first = min([each.lineno, *(line.lineno for line in each.decorator_list)])
                lines = cell.splitlines(keepends=True)[first - 1 : each.end_lineno]
                return textwrap.dedent("".join(lines))
    return ""


def _package_of(found: Any) -> str:
    """Return the package that defines a function or a class; "" outside of packages."""
    return getattr(sys.modules.get(found.__module__), "__package__", None) or ""


def _used_names(found: Any, source: str) -> Iterator[tuple[str, Any]]:
    """Yield what a function, or a class with its methods, uses of its globals and closures."""
    names = _global_names(source)
    if inspect.ismethod(found):
        yield "self", found.__self__
        values = {} if inspect.isclass(found.__self__) else getattr(found.__self__, "__dict__", {})
        yield from ((f"self.{name}", each) for name, each in values.items())
    if inspect.isclass(found):
        yield from ((each.__qualname__, each) for each in found.__bases__)
        functions = [each for each in vars(found).values() if inspect.isfunction(each)]
        known = vars(sys.modules.get(found.__module__, object))
    else:
        functions = [inspect.unwrap(found)]
        known = functions[0].__globals__
        names |= {name for code in code_in(functions[0].__code__) for name in code.co_names}
    yield from ((name, known[name]) for name in names & known.keys())
    for function in functions:
        closure = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in closure:
            if inspect.isclass(found) and name not in names:
                continue  # of a method that a decorator made, as dataclass does
            try:
                yield name, cell.cell_contents
            except ValueError:
                continue  # assigned later


def _global_names(source: str) -> set[str]:
    """Return the names that a source takes from around it: also its defaults and decorators."""
    try:
        waiting = [symtable.symtable(source, "", "exec")]
    except SyntaxError:
        return set()  # the line of a lambda inside of an expression
    names = set()
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        names |= {
            each.get_name() for each in table.get_symbols()
            if each.is_referenced() and (each.is_global() or table.get_type() == "module")
        }  # fmt: skip
    return names


def _code_of(used: Any) -> Any:
    """Return the module, function or class that a value is, or whose object it is."""
    if isinstance(used, ModuleType) or inspect.isclass(used):
        return used
    if inspect.ismethod(used):
        return _code_of(used.__self__)
    # Behind decorators that keep what they wrap, as functools does.
    function = inspect.unwrap(used)
    return function if inspect.isfunction(function) else type(used)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN

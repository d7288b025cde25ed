"""Own code: a function of the user's that a specification names as `python:module:function`.

It is found, and its source hashed, without running it: a name that is read from a store must not
run code by itself. The digest covers the module's file, the packages above it and what they import
from the same project, as far as `import` statements say; imports made at run time are not seen.
A function that a script or a notebook defines has no module to name; see `passed_code.py`.
Imports no torch.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import pickle
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

PREFIX = "python:"
FORM = f"{PREFIX}package.module:function"
# The module that a reference names for a function passed from a script or a notebook.
SESSION = "__main__"
DIGITS = 12
_STANDARD = Path(sysconfig.get_path("stdlib")).resolve()
_HOME = Path(__file__).resolve().parents[2]
# The top-level packages of this project; a user's package of the same name hides one, or is hidden.
OURS = ("models", "search")


class OwnCodeError(ValueError):
    """A function of the user's that must not be used; the message has the fix."""


@dataclass(frozen=True)
class OwnCode:
    """A function of the user's, found.

    Attributes:
        reference: As a specification names it.
        root: The folder that Python finds its top-level package or module in.
        files: Module name to source file: its module and what that imports from the project.
        digest: 12 hex digits over these files and the function's name.
    """

    reference: str
    root: Path
    files: dict[str, Path]
    digest: str


@dataclass(frozen=True)
class PassedCode:
    """A function that travels by value, made by `passed_code.pass_code`.

    Attributes:
        reference: As a specification names it: `python:__main__:function`.
        digest: 12 hex digits over its source.
        pickled: The function. Only a process that has it from its parent, never from a store, may
            load it.
        path: Where the modules that it imports are found, after this process's own path.
    """

    reference: str
    digest: str
    pickled: bytes
    path: tuple[str, ...]

    def load(self) -> Callable[..., Any]:
        """Return the function."""
        sys.path += [each for each in self.path if each not in sys.path]
        function: Callable[..., Any] = pickle.loads(self.pickled)
        return function


def parts_of(reference: str) -> tuple[str, str]:
    """Return the module and the function of a reference.

    Raises:
        ValueError: it is not of the form `python:package.module:function`.
    """
    module, _, function = reference.removeprefix(PREFIX).partition(":")
    names = (*module.split("."), function)
    if not reference.startswith(PREFIX) or not all(name.isidentifier() for name in names):
        raise ValueError(f"{reference!r} is not of the form {FORM}")
    return module, function


def locate_code(reference: str, folder: Path | None = None) -> OwnCode:
    """Find a function's module and hash its source; runs nothing of it.

    Args:
        reference: As a specification names it.
        folder: Searched first, then Python's path; None for the working folder.

    Raises:
        ValueError: the form is wrong, there is no such module, the module does not define the
            function, or its name is that of a package of this project.
    """
    module, function = parts_of(reference)
    if module == SESSION:
        raise ValueError(f"{reference} was defined in a script or a notebook, and only that can "
                         f"pass it; fix: pass {function} to search.run or search.resume there, or "
                         "name a module")  # fmt: skip
    top = module.partition(".")[0]
    if top in OURS and not _is_our_home():
        raise ValueError(f"{reference}: Twentieth itself has a package {top}, which hides yours; "
                         "fix: rename your package")  # fmt: skip
    folder = folder or Path.cwd()
    found = _source(top, [str(folder), *sys.path])
    if found is None:
        raise ValueError(f"{reference}: there is no module {top} in {folder}; fix: run from the "
                         "folder that holds it, or add that to PYTHONPATH")  # fmt: skip
    root = _root_of(found)
    files = dict(_files_of(module, root))
    if module not in files:
        raise ValueError(f"{reference}: there is no module {module} in {root}; fix: correct it")
    _check_defines(reference, files[module], function)
    digest = hashlib.sha256(function.encode())
    for name in sorted(files):
        content = normalised_source(files[name])
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return OwnCode(reference, root, files, digest.hexdigest()[:DIGITS])


def project_files(module: str) -> dict[str, Path]:
    """Return name and source file of a module of the user's and of what it imports from there.

    Empty if it is installed, of the standard library or of this project, or does not exist.
    """
    top = module.partition(".")[0]
    found = None if top in (*OURS, SESSION) else _source(top, [str(Path.cwd()), *sys.path])
    if found is None or found.suffix != ".py":
        return {}
    root = _root_of(found)
    return {} if _is_installed(root) else dict(_files_of(module, root))


def load_function(
    reference: str, digest: str = "", snapshot: Path | PassedCode | None = None
) -> Callable[..., Any]:
    """Import the module of a reference and return its function.

    Args:
        reference: As a specification names it.
        digest: What its source must have; "" for any.
        snapshot: A copy of it (`copy_code`), for a node that lacks it, and for a file that has
            changed since the search began. The original comes first: it may read files next to it.
            Or the function itself, which was passed.

    Raises:
        ValueError: as `locate_code`.
        OwnCodeError: no source has the digest, another module of that name hides it, or the file
            was edited after this process had imported it.
        Exception: whatever importing the module raises.
    """
    if isinstance(snapshot, PassedCode):
        return snapshot.load()
    module, function = parts_of(reference)
    try:
        found = locate_code(reference)
        is_right = digest in ("", found.digest)
    except ValueError:
        if snapshot is None:
            raise
        is_right = False
    if not is_right:
        found = locate_code(reference, snapshot)
        if found.digest != digest:
            raise OwnCodeError(
                f"{reference}: its source has the digest {found.digest}, not {digest}, which this "
                "search began with; fix: resume it"
            )
        sys.path.insert(0, str(found.root))  # first, since it hides the changed one
    elif str(found.root) not in sys.path:
        sys.path.append(str(found.root))  # last, so that it hides nothing
    imported = importlib.import_module(module)
    if snapshot is None:
        _check_imported(found)
    loaded: Callable[..., Any] = getattr(imported, function)
    return loaded


def _check_imported(found: OwnCode) -> None:
    """Refuse what this process has imported where workers, which import the files, have another."""
    for name, file in found.files.items():
        module = sys.modules.get(name)
        place = Path(getattr(module, "__file__", None) or file)
        if place.resolve() != file.resolve() and _is_installed(place):
            raise OwnCodeError(
                f"{found.reference}: Python imports {place} instead of {file}; fix: rename yours"
            )
        if module is not None and _was_edited(module, file):
            raise OwnCodeError(
                f"{found.reference}: {file} was edited after this process imported {name}; fix: "
                f"importlib.reload({name}) and what imported from it, or restart the process"
            )


def _was_edited(module: ModuleType, file: Path) -> bool:
    """Tell whether a module has a function that its file no longer defines in these words."""
    loader = module.__spec__.loader if module.__spec__ else None
    if not isinstance(loader, SourceFileLoader):
        return False  # one that rewrites what it imports, as pytest's does
    defined = set(code_in(loader.source_to_code(file.read_bytes(), str(file))))
    owners = [each for each in vars(module).values() if isinstance(each, type)]
    return any(
        found.__code__ not in defined
        for owner in (module, *owners)
        for found in vars(owner).values()
        # Not what a module imported, nor what exec or a decorator made elsewhere.
        if isinstance(found, FunctionType) and found.__code__.co_filename == module.__file__
    )


def code_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those of what is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_in(constant)


def copy_code(reference: str, folder: Path) -> str:
    """Copy a function's source into a folder, for other nodes, and return its digest.

    Raises:
        ValueError: as `locate_code`.
    """
    found = locate_code(reference)
    for file in found.files.values():
        place = folder / file.relative_to(found.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    return found.digest


def normalised_source(file: Path) -> bytes:
    """Return a file's source with the line ends of Unix, which differ between systems."""
    return file.read_bytes().replace(b"\r\n", b"\n")


def refuse_hiding() -> None:
    """Refuse a working folder whose packages hide ours from workers, which search it first.

    Raises:
        ValueError: names the package and the fix.
    """
    if _is_our_home():
        return
    for name in OURS:
        here = Path.cwd() / name
        for place in (here / "__init__.py", here.with_suffix(".py")):
            if place.is_file():
                raise ValueError(
                    f"{place}: Twentieth has a package {name} too, and workers would import yours "
                    f"instead; fix: rename yours, or run from another folder"
                )


def _is_our_home() -> bool:
    return Path.cwd().resolve() == _HOME


def _source(name: str, path: list[str]) -> Path | None:
    """Return the file of a top-level module; of a package its __init__.py, even if it has none."""
    found = PathFinder.find_spec(name, path)
    if found is None:
        return None
    if found.origin is not None and found.origin != "namespace":
        return Path(found.origin).absolute()  # links stay: their targets have other names
    places = list(found.submodule_search_locations or [])
    return Path(places[0]).absolute() / "__init__.py" if places else None


def _root_of(file: Path) -> Path:
    """Return the folder that Python finds a top-level module in; a package has one of its own."""
    return file.parents[1] if file.name == "__init__.py" else file.parent


def _is_installed(place: Path) -> bool:
    place = place.resolve()
    is_package = bool({"site-packages", "dist-packages"} & set(place.parts))
    return is_package or place.is_relative_to(_STANDARD)


def _files_of(module: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and file of a module and of all that it imports from its project."""
    # Among installed packages and in the standard library every package is a project of its own.
    is_installed = _is_installed(root)
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        first = name.partition(".")[0]
        if first in OURS or (is_installed and first != module.partition(".")[0]):
            continue
        waiting.append(name.rpartition(".")[0])
        stem = root.joinpath(*name.split("."))
        files = (stem.with_suffix(".py"), stem / "__init__.py")
        for file in [each for each in files if each.is_file()]:
            yield name, file
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            waiting += imported_by(file.read_bytes(), package)


def imported_by(source: bytes | str, package: str) -> Iterator[str]:
    """Yield the names of modules that a source imports; of `from a import b` also `a.b`.

    Args:
        source: of a file, or of a function; one that cannot be parsed imports nothing.
        package: that of its module, which relative imports begin from; "" outside of packages.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # importing it will say so; or the line of a lambda inside of an expression
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            above = package.split(".") if node.level else []
            above = above[: len(above) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _check_defines(reference: str, file: Path, function: str) -> None:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"{reference}: {file}:{line}: {error}; fix: correct the module") from error
    names: set[str] = set()
    has_star = False
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            has_star |= any(alias.name == "*" for alias in node.names)
            names |= {alias.asname or alias.name for alias in node.names}
    if function not in names and not has_star:
        raise ValueError(f"{reference}: {file} defines no {function}; fix: correct the name")

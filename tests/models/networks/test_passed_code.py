"""A function of a script or a notebook is passed by value, and its source has a digest."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.networks.own_code import PassedCode, load_function, locate_code
from models.networks.passed_code import pass_code
from tests.support import functions

ROOT = Path(__file__).resolve().parents[3]


def output_of(script: str, folder: Path) -> str:
    file = folder / "script.py"
    file.write_text(script)
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, check=True,
        cwd=folder, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout.strip()


def passed_by(script: str, folder: Path, expression: str = "found.digest") -> str:
    """What a script prints of `found`, which it makes by passing its function `f`."""
    made = "from models.networks.passed_code import pass_code\nfound = pass_code(f)\n"
    return output_of(f"{script}\n{made}print({expression})\n", folder)


def test_a_function_of_a_module_is_named_and_not_passed() -> None:
    assert pass_code(functions.two_hills) == "python:tests.support.functions:two_hills"


def test_a_function_of_a_script_travels_by_value(tmp_path: Path) -> None:
    script = (
        "FACTOR = 3\ndef times(x):\n    return FACTOR * x\ndef f(x):\n    return times(x) + 1\n"
    )
    reference = passed_by(script, tmp_path, "found.reference")
    assert reference == "python:__main__:f"
    pickled = bytes.fromhex(passed_by(script, tmp_path, "found.pickled.hex()"))
    passed = PassedCode(reference, "0" * 12, pickled, ())
    assert load_function(reference, snapshot=passed)(2) == 7


def test_a_local_function_is_passed_too() -> None:
    def local(configuration: Any) -> int:
        return int(configuration["x"])

    found = pass_code(local)
    assert isinstance(found, PassedCode)
    assert found.load()({"x": 4}) == 4


BEFORE = """
SIZE = 8
import functools
class Net:
    def forward(self):
        return 1
@functools.cache
def helper():
    return Net()
WIDTH = 16
def twice(function):
    @functools.wraps(function)
    def call(*given, **named):
        return function(*given, **named) * 2
    return call
class Thing:
    width: int = WIDTH
    @staticmethod
    def make():
        return "made"
thing = Thing()
@twice
def f(wide=WIDTH):
    return helper(), SIZE, thing
"""
METHOD = """
class Loop:
    def __init__(self):
        self.rate = 0.1
    def loss(self):
        return 1
    def f(self):
        return self.loss()
f = Loop().f
"""
NOTEBOOK = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from models.networks.passed_code import pass_code
shell = InteractiveShell.instance()
sys.modules["__main__"] = shell.user_module
def run(cell):
    shell.run_cell(cell, store_history=True).raise_error()
def digest(cell):
    run(cell)
    return pass_code(shell.user_ns["f"]).digest
run("import enum; from dataclasses import dataclass")
run("def f(): return Used")
for cell in CELLS:
    first, changed, again = map(digest, (cell, cell.replace("4", "5"), cell))
    print(first == again != changed)
"""
# Classes that a builder uses; Python knows no file of a notebook's.
CLASSES = {
    "plain": "class Used:\n    width = 4\n",
    "a data class": "@dataclass\nclass Used:\n    width: int = 4\n",
    "static methods": "class Used:\n    @staticmethod\n    def forward(x):\n        return x * 4\n",
    "an enumeration": "class Used(enum.Enum):\n    WIDE = 4\n",
    "one in another": "class Used:\n    class In:\n        def f(self):\n            return 4\n",
}


@pytest.mark.parametrize(
    ("old", "new"),
    [("return helper(), SIZE", "return SIZE, helper()"), ("SIZE = 8", "SIZE = 9"),
     ("return Net()", "return Net"), ("return 1", "return 2"), ("WIDTH = 16", "WIDTH = 17"),
     ("named) * 2", "named) * 3"), ('"made"', '"done"')],
    ids=["its source", "a constant", "a function that it calls", "a class that this makes",
         "a default", "its decorator", "the class of an object"],
)  # fmt: skip
def test_the_digest_changes_with_what_the_function_uses(old: str, new: str, tmp_path: Path) -> None:
    before = passed_by(BEFORE, tmp_path)
    assert passed_by(BEFORE.replace(old, new), tmp_path) != before


@pytest.mark.parametrize(("old", "new"), [("rate = 0.1", "rate = 0.2"), ("return 1", "return 2")])
def test_the_digest_of_a_method_changes_with_its_class_and_its_object(
    old: str, new: str, tmp_path: Path
) -> None:
    assert passed_by(METHOD.replace(old, new), tmp_path) != passed_by(METHOD, tmp_path)


def test_the_digest_changes_with_the_classes_of_a_notebook(tmp_path: Path) -> None:
    pytest.importorskip("IPython", reason="runs the cells of a notebook")
    printed = output_of(f"CELLS = {list(CLASSES.values())}\n{NOTEBOOK}", tmp_path)
    assert printed.split() == ["True"] * len(CLASSES)


def test_the_digest_is_that_of_what_the_function_uses_alone(tmp_path: Path) -> None:
    before = passed_by(BEFORE, tmp_path)
    assert passed_by(f"UNUSED = 1\n{BEFORE}\ndef other():\n    pass\n", tmp_path) == before


def test_the_digest_covers_the_users_modules_that_the_function_imports(tmp_path: Path) -> None:
    script = "def f():\n    from layers import width\n    return width()\n"
    (tmp_path / "layers.py").write_text("def width():\n    return 4\n")
    before = passed_by(script, tmp_path)
    (tmp_path / "layers.py").write_text("def width():\n    return 5\n")
    assert passed_by(script, tmp_path) != before


@pytest.mark.parametrize(
    "line", ["from .layers import width", "from . import layers", "from ..own.layers import width"]
)
def test_a_relative_import_is_of_the_functions_own_package(line: str, tmp_path: Path) -> None:
    package = tmp_path / "project/own"
    package.mkdir(parents=True)
    (package / "make.py").write_text(f"def make():\n    def f():\n        {line}\n    return f\n")
    (tmp_path / "layers.py").write_text("width = 1\n")  # another one, which it does not import
    (package / "layers.py").write_text("width = 4\n")
    script = "from project.own.make import make\nf = make()\n"
    before = passed_by(script, tmp_path)
    (tmp_path / "layers.py").write_text("width = 2\n")
    assert passed_by(script, tmp_path) == before
    (package / "layers.py").write_text("width = 5\n")
    assert passed_by(script, tmp_path) != before


def unnamed() -> Callable[..., Any]:
    return lambda configuration: 1


def holding_a_lock() -> Callable[..., Any]:
    lock = threading.Lock()

    def train(configuration: Any) -> None:
        with lock:
            pass

    return train


def without_source() -> Callable[..., Any]:
    names: dict[str, Any] = {"__name__": "nowhere"}
    exec("def train(configuration):\n    pass", names)
    return names["train"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("make", "said"),
    [(unnamed, "define it by def"), (holding_a_lock, "train cannot travel.*inside of the function"),
     (without_source, "source of train cannot be read.*a cell of a notebook"),
     (lambda: 3, "3 is no function")],
)  # fmt: skip
def test_what_cannot_be_passed_is_refused_with_the_fix(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pass_code(make())


def test_a_passed_function_is_found_by_no_name() -> None:
    with pytest.raises(ValueError, match=r"pass f to search\.run or search\.resume"):
        locate_code("python:__main__:f")

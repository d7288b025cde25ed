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


def passed_by(script: str, folder: Path, expression: str = "found.digest") -> str:
    """What a script prints of `found`, which it makes by passing its function `f`."""
    file = folder / "script.py"
    file.write_text(
        f"{script}\nfrom models.networks.passed_code import pass_code\nfound = pass_code(f)\n"
        f"print({expression})\n"
    )
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, check=True,
        cwd=folder, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout.strip()


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
def f():
    return helper(), SIZE
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("return helper(), SIZE", "return SIZE, helper()"), ("SIZE = 8", "SIZE = 9"),
     ("return Net()", "return Net"), ("return 1", "return 2")],
    ids=["its source", "a constant", "a function that it calls", "a class that this makes"],
)  # fmt: skip
def test_the_digest_changes_with_what_the_function_uses(old: str, new: str, tmp_path: Path) -> None:
    before = passed_by(BEFORE, tmp_path)
    assert passed_by(BEFORE.replace(old, new), tmp_path) != before


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

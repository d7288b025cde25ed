"""A user's script, which has no main guard, runs, extends and shows searches over its function."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.launches import PATIENCE_SECONDS, Place

pytestmark = [pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[3]
FUNCTION = """
def helper(x, epoch):
    return epoch * (1 - x**2)


def train(configuration, *, epochs, seed):
    secret = "MARK OF THE FUNCTION"
    for epoch in range(1, epochs + 1):
        yield {"score": helper(configuration["x"], epoch)}
"""
SPEC = """
SPEC = {
    "name": "scripted",
    "task": {},
    "objectives": [{"metric": "score", "direction": "maximize"}],
    "space": {"x": {"type": "float", "low": -1, "high": 1}},
    "budget": {"trials": 2, "epochs": 2},
    "resources": {"parallelism": 2},
    "scheduler": {"name": "none"},
}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("scripts"))


def script(place: Place, *parts: str) -> str:
    """Runs a script; returns what it prints."""
    file = place.folder / "script.py"
    file.write_text("\n".join(["import search", *map(textwrap.dedent, parts)]))
    done = subprocess.run(
        [sys.executable, str(file)], cwd=place.folder, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, env=_environment(place),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment(place: Place) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": place.uri}


RUN = """
open("started.txt", "a").write("once\\n")
result = search.run(SPEC, train, results="results", seed=3)
print(result)
assert result.state == "complete" and result.report.is_file()
assert result.best.by_metric["score"] == result.trials["objective.score"].max()
print("ID", result.search)
"""
RESUME = """
result = search.resume("scripted", train, trials=1, results="results")
print("TRIALS", len(result.trials))
"""


def test_a_script_runs_once_and_after_a_restart_passes_its_function_again(place: Place) -> None:
    said = script(place, FUNCTION, SPEC, RUN)
    name = re.findall(r"^ID (\S+)$", said, re.MULTILINE)[0]
    assert (place.folder / "started.txt").read_text() == "once\n"
    assert f"{name}: complete, 2 trials (2 complete)" in said
    _is_stored_nowhere(place)
    assert "TRIALS 3" in script(place, FUNCTION, RESUME)
    refused = """
    try:
        search.resume("scripted", {given})
    except PermissionError as error:
        print("REFUSED", error)
    """
    said = script(place, FUNCTION, refused.format(given=""))
    assert f"REFUSED {name} runs train" in said and f"search.resume('{name}', train=train)" in said
    changed = FUNCTION.replace("1 - x**2", "2 - x**2")
    said = script(place, changed, refused.format(given="train"))
    digests = re.findall(
        r"the source of __main__:train had the digest (\w{12}) and has (\w{12})", said
    )
    assert len(digests) == 1 and digests[0][0] != digests[0][1]
    assert "changed_code=True" in said
    resumed = RESUME.replace("trials=1", "trials=1, changed_code=True")
    assert "TRIALS 4" in script(place, changed, resumed)


def _is_stored_nowhere(place: Place) -> None:
    """No file of the store, the results or the storage holds the function."""
    for file in place.folder.rglob("*"):
        if file.is_file() and file.name != "script.py":
            assert b"MARK OF THE FUNCTION" not in file.read_bytes(), file


EVERY_NAME = """
import importlib
import pkgutil
import types

import models

for package in (search, models):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
for name in search.__all__:
    assert not isinstance(getattr(search, name), types.ModuleType), name
assert set(search.__all__) <= set(dir(search))

first = search.preview(SPEC, train, seed=3)
assert isinstance(first, search.Preview)
result = search.run(SPEC, train=train, seed=3, results="named")
assert isinstance(result, search.Result)
assert isinstance(result.best, search.Trial)
result = search.resume(result, train=train, trials=1)
assert search.show(result).search == search.show(result.search[:-1]).search == result.search
history = search.load_history(result.tracking_uri, searches=[result.search])
assert isinstance(history, search.History) and len(history) == 3
search.WarmStartSampler(history, objectives=[search.Objective("score", "maximize")])
assert isinstance(search.load_spec(DIGITS), search.Spec)
for error, wrong in (
    (search.SpecError, lambda: search.run({}, train)),
    (search.SearchFailed, lambda: (_ for _ in ()).throw(search.SearchFailed("a", "b"))),
    (search.SearchIsAlive, lambda: (_ for _ in ()).throw(search.SearchIsAlive("c"))),
):
    try:
        wrong()
    except error:
        continue
    raise AssertionError(error)
print("EVERY NAME WORKS")
"""


def test_every_public_name_works_after_every_module_was_imported(place: Place) -> None:
    digits = f"DIGITS = {str(ROOT / 'search' / 'specs' / 'digits.yaml')!r}"
    said = script(place, FUNCTION, SPEC, digits, EVERY_NAME)
    assert "EVERY NAME WORKS" in said

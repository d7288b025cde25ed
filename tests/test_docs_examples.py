"""The examples of the pages for readers work: commands parse, specs load, Python runs.

A command is parsed by the command line's own parser. It is really run by the test that `RUN_BY`
names, with other arguments; what no test runs has its reason in `NOT_RUN`.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from models.data.loading import load_data
from models.training.function import FunctionTraining
from models.training.trial_context import TrialPlace
from search.__main__ import app
from search.optimize.function_check import check_function
from search.spec import SpecError, spec_from_yaml
from search.tracking.store import create_store
from tests.support.launches import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# What the page shows of each message, which may end in "...".
WRONG = re.compile(r"^(wrong\.yaml:.*?)(?:\.\.\.)?$", re.MULTILINE)
COMMANDS: dict[str, Any] = get_command(app).commands
# Command -> a test that runs it.
RUN_BY = {
    "run": "tests/command_line/test_commands.py",
    "resume": "tests/search/optimize/test_digits.py",
    "repeat": "tests/command_line/test_repeat.py",
    "review": "tests/command_line/test_review.py",
    "data": "tests/command_line/test_data.py",
    "history": "tests/command_line/test_history_and_show.py",
    "show": "tests/command_line/test_history_and_show.py",
    "compare": "tests/command_line/test_compare.py",
    "stop": "tests/faults/test_stopped_searches.py",
    "note": "tests/command_line/test_edit.py",
    "rename": "tests/command_line/test_edit.py",
    "delete": "tests/command_line/test_edit.py",
    "report": "tests/search/optimize/test_digits.py",
    "export": "tests/search/transfer/test_weights_travel.py",
    "attack": "tests/search/test_robust_search.py",
    "explain": "tests/search/test_robust_search.py",
    "ui": "tests/browser/test_mlflow_page.py",
    "import-sweep": "tests/command_line/test_imports.py",
    "import-runs": "tests/command_line/test_imports.py",
    "import-study": "tests/command_line/test_imports.py",
    "launch": "tests/cluster/test_launch.py",
    "attach": "tests/command_line/test_cluster_commands.py",
    "doctor": "tests/cluster/test_faults.py",
}
# First word of a line -> why no test runs it.
NOT_RUN = {
    "make": "its targets are the tests and what they use; that each exists is checked",
    "pip": "installs packages",
    "ray": "makes a secret of the user's account",
    "chmod": "the same",
    "git": "changes the checkout",
    "cp": "copies files; tests/examples/test_jobs.py does the same",
    ".": "changes the reader's shell",
    "python": "a benchmark, minutes to hours; tests/test_docs.py checks that its module exists",
}
# Fragments of a spec are completed by one of these.
BASES = ("digits.yaml", "trec6.yaml")


def blocks(page: Path, *languages: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(text) for _, language, text in found if language in languages]


def shell_lines() -> Iterator[Any]:
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                for command in line.partition(" #")[0].split("&&"):
                    if command.strip():
                        place = page.relative_to(ROOT)
                        yield pytest.param(command.strip(), id=f"{place}: {command.strip()}")


@pytest.mark.parametrize("line", shell_lines())
def test_every_command_shown_is_one_that_the_command_line_takes(line: str) -> None:
    first, *arguments = shlex.split(line)
    if (first, *arguments[:2]) == ("python", "-m", "search"):
        first, arguments = "twentieth", arguments[2:]
    if first != "twentieth":
        assert first in NOT_RUN
        if first == "make":
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in arguments)
        return
    name, *rest = arguments
    assert name in RUN_BY
    COMMANDS[name].make_context(name, rest)  # raises for an option that there is not
    for argument in rest:
        if argument.startswith("search/specs/"):
            assert (ROOT / argument).is_file()


@pytest.mark.parametrize("command", RUN_BY)
def test_the_test_that_runs_a_command_exists(command: str) -> None:
    assert command in (ROOT / RUN_BY[command]).read_text(encoding="utf-8")


def yaml_blocks() -> Iterator[Any]:
    for page in PAGES:
        for index, block in enumerate(blocks(page, "yaml")):
            yield pytest.param(block, id=f"{page.relative_to(ROOT)}[{index}]")


@pytest.mark.parametrize("block", yaml_blocks())
def test_every_piece_of_yaml_is_a_spec_or_completes_one(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    piece = yaml.safe_load(block)
    if piece.get("name") == "wrong":  # the page shows what is said about it
        with pytest.raises(SpecError) as raised:
            spec_from_yaml(block, "wrong.yaml")
        said = str(raised.value).splitlines()
        shown = WRONG.findall((ROOT / "docs/reference/spec.md").read_text(encoding="utf-8"))
        assert len(said) == len(shown)
        assert all(line.startswith(start) for line, start in zip(said, shown, strict=True))
        return
    if "task" in piece:
        spec_from_yaml(block)
        return
    errors = []
    for base in BASES:
        record = yaml.safe_load((ROOT / "search/specs" / base).read_text(encoding="utf-8"))
        if "adaptation" in record["space"] and "space" in piece:
            record["space"] = {}
        try:
            spec_from_yaml(yaml.safe_dump(record | piece))
            return
        except SpecError as error:
            errors.append(f"{base}: {error}")
    pytest.fail("\n".join(errors))


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    # What one page has its reader write and run is run by tests/command_line; README is below.
    [page for page in PAGES[1:] if blocks(page, "python") and page.stem != "bring_your_own"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_piece_of_python_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "search.run(" in page.read_text(encoding="utf-8"):
        # Such code is a script: what it defines has a source, and its driver is another process.
        (tmp_path / "script.py").write_text("\n".join(blocks(page, "python")))
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "script.py"], env=environment, check=True, timeout=PATIENCE_SECONDS
        )
        return
    # Readers of these pages have run a search.
    create_store(f"sqlite:///{tmp_path}/results/mlflow.db")
    names: dict[str, Any] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)
    if "train" in names:
        rows = list(names["train"]({"rate": 0.1}, epochs=3, seed=0))
        assert len(rows) == 3
        assert all(isinstance(row, dict) for row in rows)


@pytest.mark.slow
@pytest.mark.long
def test_the_python_of_the_readme_runs_as_it_is_written(tmp_path: Path) -> None:
    """From a folder with the packages alone, as an installation has them: its results lie there."""
    for package in ("search", "models"):
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=left_out)
    checks = "assert result.state == 'complete' and len(result.trials) == len(history) == 6"
    script = "\n".join([*blocks(ROOT / "README.md", "python"), checks])
    (tmp_path / "script.py").write_text(script)
    places = ("MLFLOW_TRACKING_URI", "TWENTIETH_RESULTS")
    environment = {name: text for name, text in os.environ.items() if name not in places}
    environment["PYTHONPATH"] = str(tmp_path)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, check=True)
    assert list((tmp_path / "results").glob("digits-*/report.md"))


def functions_shown() -> list[str]:
    """The training functions of the page on one's own code."""
    page = (ROOT / "docs/bring_your_own.md").read_text(encoding="utf-8")
    section = page[page.index("## A training function") : page.index("## What cannot be brought")]
    return [textwrap.dedent(text) for _, name, text in BLOCK.findall(section) if name == "python"]


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(functions_shown())))
def test_every_training_function_shown_passes_the_checks_and_continues(
    index: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainers of other libraries are trained by tests/test_examples.py."""
    source = functions_shown()[index]
    (tmp_path / f"shown_{index}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("width", "learning_rate", "rate", "words", "alpha")
    settings = "".join(f"  {name}: {{type: float, low: 0.01, high: 0.9}}\n" for name in names)
    metric = "loss" if "loss" in source else "accuracy.clean"
    settings_of_data, kind = {"name": "digits"}, "images"
    if "train.texts" in source:
        rows = "".join(f"a {word} film,{word}\n" for word in ("good", "bad") for _ in range(20))
        (tmp_path / "reviews.csv").write_text(f"text,label\n{rows}")
        settings_of_data, kind, metric = {"path": "reviews.csv"}, "classification", "accuracy"
    spec = spec_from_yaml(
        f"name: shown\ntask: {{train: 'python:shown_{index}:train', data: {settings_of_data}}}\n"
        f"space:\n{settings}"
        f"objectives: [{{metric: {metric}, direction: minimize}}]\n"
        "budget: {trials: 1, epochs: 3}\nscheduler: {name: none}\n"
    )
    check_function(spec)
    if "my_" in source:
        return
    function = importlib.import_module(f"shown_{index}").train
    data = load_data(settings_of_data, kind)
    place = TrialPlace(tmp_path / "files", tmp_path / "own", data=data)
    configuration = {"width": 16, "learning_rate": 0.01, "rate": 0.5, "words": 2, "alpha": 1e-3}

    def training() -> FunctionTraining:
        return FunctionTraining(function, configuration, epochs=3, seed=0, place=place)

    begun, again = training(), training()
    running = begun.run()
    next(running)
    again.load_state_dict(begun.state_dict())
    running.close()
    assert len(list(again.run())) == 2

"""Training functions of users, each in a module of its own, for tests of what is said of them."""

from __future__ import annotations

import itertools
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from search.optimize.worker_task import TaskOnWorker
from search.spec import HyperparameterSpec
from tests.support.stepped_trials import task_of

_MODULES = itertools.count()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A folder to run from, and the name of a module in it that no other test imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path, f"own_training_{next(_MODULES)}"


def task(own: tuple[Path, str], source: str) -> TaskOnWorker:
    folder, module = own
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    sys.modules.pop(module, None)  # of an earlier source
    made = task_of(folder)
    spec = made.spec.model_copy(
        update={
            "task": made.spec.task.model_copy(update={"train": f"python:{module}:train"}),
            "space": {"learning_rate": HyperparameterSpec(type="float", low=0.1, high=1)},
        }
    )
    return replace(made, spec=spec)

"""The parts of `make gpu`: what they need, and all of them in small on this machine's CPU."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import marked_tests, out_of_memory
from benchmarks.gpu.part import Setting
from benchmarks.gpu.schedule import PARTS, read_records
from search.optimize.trainable import _is_out_of_memory

ROOT = Path(__file__).resolve().parents[3]
NEVER = ("ray", "optuna", "mlflow", "search")
# What PyTorch, transformers and peft bring along, and what has a stand-in.
ALLOWED = {
    "torch", "transformers", "peft", "numpy", "jinja2", "safetensors", "tokenizers", "psutil",
    "models",
    "benchmarks", "pydantic", "platformdirs",
}  # fmt: skip


def imported(file: Path, *, anywhere: bool) -> set[str]:
    """The dotted names that a file imports, at its top or anywhere."""
    tree = ast.parse(file.read_text())
    nodes = list(ast.walk(tree)) if anywhere else tree.body
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def file_of(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def test_importing_the_parts_needs_pytorch_transformers_and_peft_alone() -> None:
    pending = sorted((ROOT / "benchmarks" / "gpu").rglob("*.py"))
    seen: set[Path] = set()
    foreign: dict[str, Path] = {}
    while pending:
        file = pending.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imported(file, anywhere=file.is_relative_to(ROOT / "benchmarks" / "gpu")):
            top = name.partition(".")[0]
            if top in ("models", "benchmarks"):
                pending += [found for found in [file_of(name)] if found]
            elif top not in sys.stdlib_module_names:
                foreign.setdefault(top, file)
    assert len(seen) > 50, "the parts stand on models/"
    assert foreign.keys() <= ALLOWED, {name: foreign[name] for name in foreign.keys() - ALLOWED}


def test_the_marked_tests_are_found_and_import_nothing_of_a_search() -> None:
    files = marked_tests.files()
    assert "tests/models/training/test_network.py" in files and len(files) >= 3
    for name in files:
        tops = {each.partition(".")[0] for each in imported(ROOT / name, anywhere=True)}
        assert not tops & set(NEVER), name


def test_pytests_summary_gives_each_tests_outcome() -> None:
    said = "..\nPASSED tests/a.py::test_a\nFAILED tests/b.py::test_b - assert 1 == 2\n1 passed\n"
    assert marked_tests.outcomes(said) == [
        ["tests/a.py::test_a", "passed"], ["tests/b.py::test_b", "failed"],
    ]  # fmt: skip


def test_what_is_recorded_of_no_memory_is_what_a_search_retries() -> None:
    here = Setting("cpu", is_full=False, ends=time.monotonic() + 60)
    name, line = out_of_memory.run(here).tables[0].rows[0][1:]
    assert _is_out_of_memory({"RuntimeError": RuntimeError}[name](line))
    assert _is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB"))


@pytest.mark.slow
def test_make_gpu_on_the_cpu_runs_every_part_without_ray_optuna_and_mlflow(tmp_path: Path) -> None:
    shadows = tmp_path / "shadows"
    shadows.mkdir()
    for name in ("ray", "optuna", "mlflow", "pydantic", "platformdirs"):
        (shadows / f"{name}.py").write_text(f"raise ImportError('{name} is not installed here')\n")
    done = subprocess.run(
        ["make", "gpu", "ON=cpu", f"RESULTS={tmp_path / 'gpu'}", f"GPU_PYTHON={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{shadows}:{ROOT}", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    records = read_records(tmp_path / "gpu")
    states = {name: record["status"] for name, record in records.items()}
    assert states.pop("marked_tests") == "not run"
    assert set(states.values()) == {"ran"} and len(states) == len(PARTS) - 1
    text = (tmp_path / "gpu.md").read_text()
    assert "these tests need a CUDA device" in text and "does not hold" not in text
    assert "pydantic, platformdirs: stand-ins" in text
    assert re.search(r"plain, width 2, batch 8, 1x8x8, PGD-3 \| 2 \|", text)

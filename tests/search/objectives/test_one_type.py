"""Metric, direction and role go together: nothing takes or keeps them as lists of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# What one list of each would be called.
LISTS = {
    "metrics": {"objectives", "metrics", "objective_metrics", "metric_names"},
    "directions": {"directions"},
    "roles": {"roles"},
}
ALLOWED = {
    # Public: plain Optuna has names and directions.
    "search/apply/sampler.py WarmStartSampler.__init__",
    "search/history/history.py History.from_studies",
    "search/history/studies.py objectives_of",
    # The border to stores and to plain Optuna; the way back (`to_row`) takes objectives alone.
    "search/objectives/objective.py from_lists",
}


def kinds(names: set[str]) -> set[str]:
    return {kind for kind, known in LISTS.items() if names & known}


def lists_of(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each function with its parameters, and each class with its annotated fields."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            yield f"{outer}{node.name}", {each.arg.lstrip("_") for each in every}
            yield from lists_of(node, f"{outer}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            yield (
                f"{outer}{node.name}",
                {each.target.id for each in fields if isinstance(each.target, ast.Name)},
            )
            yield from lists_of(node, f"{outer}{node.name}.")
        else:
            yield from lists_of(node, outer)


def parallel_lists(source: str) -> list[str]:
    """What takes or keeps two of the lists, or directions, which mean nothing by themselves."""
    every = ((name, kinds(names)) for name, names in lists_of(ast.parse(source)))
    return [name for name, found in every if len(found) > 1 or "directions" in found]


def test_only_the_border_takes_metrics_and_directions_as_lists() -> None:
    found = {
        f"{file.relative_to(ROOT)} {name}"
        for file in sorted(ROOT.glob("search/**/*.py"))
        for name in parallel_lists(file.read_text())
    }
    assert found == ALLOWED


def test_the_walk_finds_parameters_and_fields() -> None:
    assert parallel_lists("def f(values, directions): ...") == ["f"]
    assert parallel_lists("def f(objectives, *, roles=()): ...") == ["f"]
    assert parallel_lists("class A:\n  def g(self, metrics, directions): ...") == ["A.g"]
    assert parallel_lists("class A:\n  objectives: tuple\n  directions: tuple") == ["A"]
    assert parallel_lists("class A:\n  objectives: tuple\n  roles: tuple") == ["A"]
    assert parallel_lists("def f(objectives, metric, direction): ...") == []
    assert parallel_lists("def to_json(roles): ...") == []

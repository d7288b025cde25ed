"""The house keeps its layers: imports point downwards, and heavy libraries stay in their rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first; folders of one level do not import each other, so no two folders do.
LAYERS = [
    ["robustness", "costs", "callbacks"],  # for a user's own training; they import models/ alone
    ["space", "objectives"],
    ["spec", "specs"],
    ["history", "experience"],
    ["tracking"],
    ["review"],
    ["extract"],
    ["apply"],
    ["optimize"],
    ["transfer"],
    ["pipeline"],
    ["report", "cluster"],
    ["session"],
    ["cli"],
    ["__main__"],
]
LAYERS_OF_MODELS = [
    ["hyperparameters", "scores"],
    ["kinds"],
    ["data"],
    ["adversarial", "networks"],
    ["adaptation", "catalog"],
    ["weights"],
    ["training"],
    ["explanations"],
]
LEVEL = {
    package: {folder: level for level, folders in enumerate(layers) for folder in folders}
    for package, layers in {"search": LAYERS, "models": LAYERS_OF_MODELS}.items()
}
ROOMS_OF = {
    "mlflow": ("search/tracking/",),
    "ray": ("search/optimize/", "search/cluster/"),
    "torch": ("models/", "search/optimize/worker_task.py"),
}
FILES = sorted([*ROOT.glob("search/**/*.py"), *ROOT.glob("models/**/*.py")])


def imports_of(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_downwards(file: Path) -> None:
    place = file.relative_to(ROOT)
    package, own = place.parts[0], place.parts[1].removesuffix(".py")
    if own == "__init__":
        return
    level = LEVEL[package]
    assert own in level, f"{own} has no layer: say which"
    for name in imports_of(file):
        other, _, rest = name.partition(".")
        assert (package, other) != ("models", "search"), f"{place} imports {name}"
        folder = rest.partition(".")[0]
        if other == package and folder in level and folder != own:
            assert level[folder] < level[own], f"{place} imports {name}, which is not below it"


@pytest.mark.parametrize("library", ROOMS_OF)
def test_a_heavy_library_stays_in_its_room(library: str) -> None:
    users = {
        str(file.relative_to(ROOT))
        for file in FILES
        if any(name.split(".")[0] == library for name in imports_of(file))
    }
    users_outside = {user for user in users if not user.startswith(ROOMS_OF[library])}
    assert not users_outside, f"{library} is imported by {sorted(users_outside)}"


def test_search_uses_of_models_only_the_catalogue_outside_the_worker() -> None:
    allowed = (
        "models.catalog", "models.kinds", "models.data.description", "models.data.settings",
        "models.data.sources", "models.data.validation_split",
        "models.networks.base_model", "models.networks.architectures", "models.networks.own_code",
        "models.networks.passed_code",
        "models.adversarial.text.word_substitution", "models.adversarial.epsilons",
        "models.adversarial.checks.warning", "models.adversarial.checks.search_warnings",
        "models.scores.metric_names", "models.scores.cost_names", "models.scores.trivial",
        "models.hyperparameters.hyperparameter",
    )  # fmt: skip
    # What hands weights on looks at checkpoints; it imports torch when it needs it.
    hand_on = ("models.weights",)
    handing_on = [
        f"search/transfer/{name}.py"
        for name in ("sources", "inherited_weights", "export", "model_card")
    ]
    at_work = tuple(
        f"search/{file}.py"
        for file in (
            "optimize/trainable", "optimize/worker_task", "optimize/tuner",
            "optimize/final_evaluation", "optimize/network_check", "cli/attack", "cli/data",
            "optimize/function_check", "optimize/trial_check", "robustness/__init__",
            "callbacks/__init__", "costs/__init__", "cli/verify", "cli/explain",
        )
    )  # fmt: skip
    for file in FILES:
        place = str(file.relative_to(ROOT))
        if not place.startswith("search/") or place.startswith(at_work):
            continue
        legal = (*allowed, *hand_on) if place in handing_on else allowed
        for name in imports_of(file):
            if name.split(".")[0] == "models" and name != "models":
                assert name.startswith(legal), f"{place} imports {name}"


def test_there_are_no_circles_between_the_modules() -> None:
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in FILES
    }
    graph = {name: modules_used_by(file, set(modules)) - {name} for name, file in modules.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def modules_used_by(file: Path, modules: set[str]) -> set[str]:
    """The modules of ours that a file imports, in functions as well; `from package import module`
    counts for the module alone."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules) or {node.module}
    return found & modules


def test_every_folder_of_code_is_a_package_and_so_is_installed() -> None:
    folders = {file.parent for file in FILES}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_what_is_imported_as_search_is_this_project() -> None:
    import models
    import search

    for package in (search, models):
        assert Path(package.__file__ or "").resolve().is_relative_to(ROOT)


def test_no_module_of_tests_is_imported_by_another() -> None:
    imports = re.compile(r"^\s*(?:from|import) tests\.(?:\w+\.)*(?:conftest|test_\w+)\b.*", re.M)
    for file in sorted(ROOT.glob("tests/**/*.py")):
        found = imports.search(file.read_text())
        assert not found, f"{file.relative_to(ROOT)} says {found.group().strip()!r}"


def test_all_commands_are_defined_without_importing_a_slow_library() -> None:
    """Each costs a second or two; and Ray reads RAY_AUTH_MODE once, which `launch` sets before."""
    slow = {"ray", "torch", "mlflow", "scipy.stats", "sklearn", "pandas", "matplotlib"}
    assert imported_by("search.__main__", slow) == "[]"


@pytest.mark.slow
def test_neither_a_worker_nor_a_search_without_a_past_imports_what_only_a_past_needs() -> None:
    assert imported_by("search.optimize.trainable", {"mlflow", "scipy.stats", "sklearn"}) == "[]"
    assert imported_by("search.pipeline", {"ray", "torch", "sklearn"}) == "[]"


def imported_by(module: str, libraries: set[str]) -> str:
    """Returns the list of those libraries that a module brings with it, as text."""
    code = f"import {module}, sys; print(sorted({libraries} & sys.modules.keys()))"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return said.stdout.strip()

"""A user's function is found and hashed without running it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from models.networks.own_code import copy_code, load_function, locate_code, refuse_hiding


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a builder that imports a module next to it and a package below it."""
    package = tmp_path / "my_layers"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemError('imported')\n")
    (package / "blocks.py").write_text("from . import shapes\nfrom torch import nn\n")
    (package / "shapes.py").write_text("SIDE = 3\n")
    (package / "unused.py").write_text("OLD = True\n")
    (tmp_path / "my_heads.py").write_text("import my_layers.blocks\n")
    (tmp_path / "my_net.py").write_text(
        "import json\nfrom my_heads import *\n\ndef build(configuration, data):\n    return None\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_code_imports_from_its_project_belongs_to_it(project: Path) -> None:
    found = locate_code("python:my_net:build")
    assert set(found.files) == {
        "my_net", "my_heads", "my_layers", "my_layers.blocks", "my_layers.shapes",
    }  # fmt: skip
    assert found.root == project.resolve() and len(found.digest) == 12


def test_the_digest_changes_with_each_of_its_files_and_no_other(project: Path) -> None:
    before = locate_code("python:my_net:build").digest
    (project / "my_layers" / "unused.py").write_text("OLD = False\n")
    (project / "my_net.py").write_bytes(
        (project / "my_net.py").read_bytes().replace(b"\n", b"\r\n")
    )
    assert locate_code("python:my_net:build").digest == before
    (project / "my_layers" / "shapes.py").write_text("SIDE = 5\n")
    assert locate_code("python:my_net:build").digest != before


def test_the_digest_does_not_depend_on_the_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = locate_code("python:my_net:build").digest
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("my_net.py", "my_heads.py", "my_layers"):
        (project / name).rename(other / name)
    monkeypatch.chdir(other)
    assert locate_code("python:my_net:build").digest == before


def test_two_functions_of_one_file_have_two_digests(project: Path) -> None:
    with (project / "my_net.py").open("a") as file:
        file.write("\ndef other(configuration, data):\n    return None\n")
    first, second = (locate_code(f"python:my_net:{name}") for name in ("build", "other"))
    assert first.files == second.files and first.digest != second.digest


def test_this_projects_own_files_are_no_part_of_it(project: Path) -> None:
    (project / "my_heads.py").write_text("from models.networks.cnn import CNN\n")
    assert set(locate_code("python:my_net:build").files) == {"my_net", "my_heads"}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("my_net:build", ["'my_net:build'", "python:package.module:function"]),
        ("python:my_net", ["python:package.module:function"]),
        ("python:my-net:build", ["python:package.module:function"]),
        ("python:your_net:build", ["no module your_net", "fix: run from the folder"]),
        ("python:my_layers.blcks:build", ["no module my_layers.blcks in", "fix"]),
        ("python:my_net:biuld", ["my_net.py defines no biuld", "fix: correct the name"]),
        ("python:models.mine:build", ["a package models, which hides yours", "rename"]),
    ],
)
def test_what_cannot_be_found_is_a_sentence(
    project: Path, reference: str, words: list[str]
) -> None:
    (project / "my_heads.py").write_text("")  # a star could define any name
    (project / "my_net.py").write_text("def build(configuration, data):\n    return None\n")
    with pytest.raises(ValueError) as error:
        locate_code(reference)
    assert all(word in str(error.value) for word in words), error.value


def test_a_mistake_in_the_syntax_names_file_and_line(project: Path) -> None:
    (project / "my_net.py").write_text("def build(configuration, data)\n    return None\n")
    with pytest.raises(ValueError, match=r"my_net\.py:1: .*fix: correct the module"):
        locate_code("python:my_net:build")


def test_a_function_is_imported_from_the_working_folder(project: Path) -> None:
    (project / "only_here.py").write_text("def build(configuration, data):\n    return 7\n")
    assert load_function("python:only_here:build")({}, None) == 7
    assert sys.path[0] != str(project), "what is first hides what others installed"


def test_a_linked_module_is_found_under_its_own_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "first_version.py").write_text("def build(*_):\n    return 8\n")
    (project / "linked.py").symlink_to(tmp_path / "sources" / "first_version.py")
    (project / "linked_package").symlink_to(tmp_path / "sources", target_is_directory=True)
    assert load_function("python:linked:build")({}, None) == 8
    assert load_function("python:linked_package.first_version:build")({}, None) == 8


def test_a_module_that_an_installed_one_hides_is_refused(project: Path) -> None:
    (project / "hidden.py").write_text("import numbers\ndef build(*_):\n    return 9\n")
    (project / "numbers.py").write_text("ONE = 1\n")
    words = rf"Python imports .*numbers.py instead of {project}/numbers.py; fix: rename yours"
    with pytest.raises(ValueError, match=words):
        load_function("python:hidden:build")


def test_a_node_without_the_code_takes_the_copy(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "lone.py").write_text("def build(configuration, data):\n    return 'copied'\n")
    snapshot = tmp_path_factory.mktemp("storage") / "code"
    digest = copy_code("python:lone:build", snapshot)
    monkeypatch.chdir(tmp_path_factory.mktemp("node"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ValueError, match="no module lone"):
        load_function("python:lone:build")
    assert load_function("python:lone:build", digest, snapshot)({}, None) == "copied"


def test_a_file_edited_during_a_search_does_not_change_the_search(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    file, snapshot = project / "edited.py", tmp_path_factory.mktemp("storage") / "code"
    file.write_text("def build(configuration, data):\n    return 'first'\n")
    digest = copy_code("python:edited:build", snapshot)
    file.write_text("def build(configuration, data):\n    return 'second'\n")
    for _ in range(2):  # the second trial of a worker finds the copy on Python's path
        assert load_function("python:edited:build", digest, snapshot)({}, None) == "first"


def test_an_edit_after_the_import_is_refused_where_workers_would_run_the_edited_file(
    project: Path,
) -> None:
    helper = project / "edited_helper.py"
    helper.write_text("class Size:\n    def of(self): return 1\n")
    (project / "edited_later.py").write_text(
        "from edited_helper import Size\ndef build(configuration, data): return Size().of()\n"
    )
    assert load_function("python:edited_later:build")({}, None) == 1
    helper.write_text("class Size:\n    # Wider.\n    def of(self): return 2\n")
    with pytest.raises(ValueError, match=r"edited_helper\.py was edited .*reload\(edited_helper\)"):
        load_function("python:edited_later:build")
    importlib.reload(sys.modules["edited_helper"])
    importlib.reload(sys.modules["edited_later"])
    assert load_function("python:edited_later:build")({}, None) == 2


def test_a_copy_that_was_changed_is_not_run(project: Path, tmp_path: Path) -> None:
    (project / "sound.py").write_text("def build(configuration, data):\n    return None\n")
    digest = copy_code("python:sound:build", tmp_path / "code")
    (project / "sound.py").unlink()
    (tmp_path / "code" / "sound.py").write_text("def build(configuration, data):\n    return 1\n")
    with pytest.raises(ValueError, match=f"not {digest}, which this search began with"):
        load_function("python:sound:build", digest, tmp_path / "code")


@pytest.mark.parametrize("name", ["models/__init__.py", "search.py"])
def test_a_package_that_would_hide_ours_from_workers_is_refused(project: Path, name: str) -> None:
    refuse_hiding()
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("")
    package = name.partition("/")[0].removesuffix(".py")
    with pytest.raises(ValueError, match=rf"{name}: .*a package {package} too.*fix: rename"):
        refuse_hiding()


def test_ours_hidden_by_a_users_package_is_one_sentence(project: Path) -> None:
    (project / "models").mkdir()
    (project / "models" / "__init__.py").write_text("")
    root = str(Path(__file__).parents[3])
    (project / "twentieth").write_text("from search.__main__ import main\nmain()\n")
    for command, path in ((["-m", "search"], root), (["twentieth"], f"{project}:{root}")):
        done = subprocess.run(
            [sys.executable, *command, "--version"],
            cwd=project, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert f"{project}/models/__init__.py hides Twentieth's package models" in done.stderr
        assert "fix: rename it" in done.stderr

from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster.preflight import (
    check_results,
    check_secret,
    check_spec,
    check_store,
    is_loopback,
)
from search.spec import SpecError
from tests.support.cluster_specs import written


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_a_spec_inside_the_project_is_checked_with_its_overrides(project: Path) -> None:
    assert check_spec(written(project), project, ["budget.trials=7"]).budget.trials == 7


def test_a_spec_outside_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"outside {project}.*move it there"):
        check_spec(written(tmp_path), project, [])


def test_a_spec_in_a_folder_that_stays_behind_is_refused(project: Path) -> None:
    with pytest.raises(ValueError, match="results stays behind"):
        check_spec(written(project / "results"), project, [])


def test_a_relative_data_path_must_travel_with_the_project(project: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match=r"task\.data\.path: .*outside.*absolute path"):
        check_spec(written(project, "../images"), project, [])
    (project / "images").mkdir()
    data = check_spec(written(project, "./images"), project, []).task.data
    assert data["path"] == str(project / "images")


def test_a_path_in_an_override_must_travel_too(project: Path) -> None:
    with pytest.raises(ValueError, match="outside"):
        check_spec(written(project), project, ["task.data=../elsewhere"])


def test_a_relative_data_path_must_exist(project: Path) -> None:
    with pytest.raises(ValueError, match="there is no"):
        check_spec(written(project, "./images"), project, [])


def test_data_that_git_ignores_is_refused_with_key_path_and_fix(project: Path) -> None:
    (project / "images").mkdir()
    (project / "images" / "train.parquet").write_text("")
    (project / ".gitignore").write_text("*.parquet\n")
    message = r"spec\.yaml: task\.data\.path: .*train\.parquet stays behind: .*\.gitignore names it"
    with pytest.raises(ValueError, match=f"{message}.*shared storage"):
        check_spec(written(project, "./images"), project, [])


def test_a_file_with_first_configurations_must_travel_too(project: Path, tmp_path: Path) -> None:
    for folder in (project, tmp_path, project / "results"):
        folder.mkdir(exist_ok=True)
        (folder / "first.yaml").write_text("- {adamw.learning_rate: 0.005}\n")
    checked = check_spec(written(project), project, [], project / "first.yaml")
    assert [dict(each) for each in checked.first] == [{"adamw.learning_rate": 0.005}]
    with pytest.raises(ValueError, match=f"--first: .*outside {project}.*move it there"):
        check_spec(written(project), project, [], tmp_path / "first.yaml")
    with pytest.raises(ValueError, match="results stays behind"):
        check_spec(written(project), project, [], project / "results" / "first.yaml")
    with pytest.raises(SpecError, match="there is no such file"):
        check_spec(written(project), project, [], project / "none.yaml")


def test_a_spec_that_git_ignores_is_refused(project: Path) -> None:
    (project / ".gitignore").write_text("spec.yaml\n")
    with pytest.raises(ValueError, match=r"the spec: .*spec\.yaml stays behind"):
        check_spec(written(project), project, [])


def test_an_absolute_data_path_is_one_on_the_nodes(project: Path) -> None:
    spec = check_spec(written(project, "/mnt/data/images"), project, [])
    assert spec.task.data["path"] == "/mnt/data/images"


FUNCTION = """
name: x
task: {train: 'python:%s:two_hills', settings: {note: ~three hours}}
objectives: [{metric: left, direction: maximize}]
space: {x: {type: float, low: 0, high: 1}}
budget: {trials: 1, epochs: 1}
resources: {parallelism: 1}
scheduler: {name: none}
"""


def test_a_text_that_begins_like_a_home_is_no_path(project: Path) -> None:
    (project / "own_hills.py").write_text("def two_hills(configuration, trial): ...\n")
    (project / "spec.yaml").write_text(FUNCTION % "own_hills")
    assert check_spec(project / "spec.yaml", project, []).task.train == "python:own_hills:two_hills"


def test_a_training_function_in_the_tests_does_not_travel(project: Path) -> None:
    path = project / "spec.yaml"
    path.write_text(FUNCTION % "tests.support.functions")
    functions = project / "tests" / "support" / "functions.py"
    functions.parent.mkdir(parents=True)
    for package in (functions.parent, functions.parents[1]):
        (package / "__init__.py").touch()
    functions.write_text("def two_hills(configuration, *, epochs, seed):\n    yield {}\n")
    with pytest.raises(ValueError, match=r"two_hills: .*tests stays behind"):
        check_spec(path, project, [])


@pytest.mark.parametrize(
    ("uri", "because"),
    [
        (None, "missing"),
        ("sqlite:///results/mlflow.db", "temporary copy"),
        ("results/mlruns", "temporary copy"),
        ("http://127.0.0.1:5000", "the head itself"),
        ("http://localhost:5000", "the head itself"),
        ("http://[::1]:5000", "the head itself"),
        ("http://0.0.0.0:5000", "the head itself"),
        ("http://[::]:5000", "the head itself"),
        ("postgresql:///mlflow", "the head itself"),
    ],
)
def test_a_store_that_the_nodes_cannot_share_is_refused(uri: str | None, because: str) -> None:
    with pytest.raises(ValueError, match=because):
        check_store(uri)


@pytest.mark.parametrize(
    "uri", ["https://me:s3cret@mlflow.lan", "postgresql://db.lan/mlflow?user=me&password=s3cret"]
)
def test_a_password_in_the_uri_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ValueError, match="credentials") as refused:
        check_store(uri)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "uri", ["https://mlflow.lan", "http://10.0.0.1:5000", "postgresql://u@db/m"]
)
def test_a_store_that_all_nodes_reach_is_accepted(uri: str) -> None:
    assert check_store(uri) == uri


@pytest.mark.parametrize("results", [None, Path("results")])
def test_results_must_be_absolute(results: Path | None) -> None:
    with pytest.raises(ValueError, match="all nodes share"):
        check_results(results)


def test_a_secret_must_exist_and_be_readable_by_its_owner_only(tmp_path: Path) -> None:
    token = tmp_path / "auth_token"
    with pytest.raises(FileNotFoundError, match="ray get-auth-token"):
        check_secret(token, "ray get-auth-token --generate")
    token.write_text("secret")
    token.chmod(0o644)
    with pytest.raises(PermissionError, match=r"mode 644.*chmod 600"):
        check_secret(token, "")
    token.chmod(0o600)
    check_secret(token, "")


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("LocalHost", True),
     ("a.localhost", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False),
     ("localhost.example.org", False)],
)  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(host: str, is_here: bool) -> None:
    assert is_loopback(host) == is_here

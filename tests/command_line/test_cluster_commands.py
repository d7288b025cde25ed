from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from search.__main__ import app
from search.cli import cluster
from search.cluster import launcher
from search.cluster.cluster_file import ClusterFile
from search.cluster.launcher import HeadUnreachable
from tests.support.cluster_specs import written

CLUSTER = "cluster_name: lab\nprovider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2]}\n"


class Ray:
    """Stands in for `ray` and the head; `done` is what was done there, in order."""

    def __init__(self, joined: set[str], is_up: bool = False) -> None:
        self.done: list[str] = []
        self.nodes, self.is_up = joined, is_up
        self.submitted: dict[str, int] = {}
        self.interrupts = False
        self.ray = importlib.metadata.version("ray")

    def bring_up(self, cluster: ClusterFile, project: Path, log: Path) -> None:
        self.done.append("up")
        self.is_up = True

    def copy_credentials(self, cluster: ClusterFile, file: Path, log: Path) -> None:
        self.done.append(f"copy {file.name}")

    @contextlib.contextmanager
    def tunnel(self, cluster: ClusterFile, log: Path) -> Iterator[str]:
        if not self.is_up:
            raise ConnectionError("no head is up")
        yield "http://127.0.0.1:1"

    def version(self) -> str:
        return self.ray

    def joined(self) -> set[str]:
        return self.nodes

    def submit(self, name: str, entrypoint: str, project: Path) -> None:
        self.done.append(entrypoint)
        self.submitted[name] = len(self.submitted)

    def jobs(self) -> dict[str, int]:
        return self.submitted

    def status(self, name: str) -> str:
        if self.interrupts:
            raise KeyboardInterrupt
        return "STOPPED" if "stop" in self.done else "SUCCEEDED"

    def log(self, name: str) -> str:
        return f"log of {name}\n"

    def stop(self, name: str) -> None:
        self.done.append("stop")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project and a home with a token; the current folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "as it was")  # a launch sets it
    token = tmp_path / "home" / ".ray" / "auth_token"
    token.parent.mkdir(parents=True)
    token.write_text("secret")
    token.chmod(0o600)
    folder = tmp_path / "project"
    written(folder)
    (folder / "cluster.yaml").write_text(CLUSTER)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(cluster, "PROJECT", folder)
    return folder


def use(ray: Ray, monkeypatch: pytest.MonkeyPatch) -> Ray:
    monkeypatch.setattr(launcher, "tunnel", ray.tunnel)
    monkeypatch.setattr(launcher, "Service", lambda address: ray)
    monkeypatch.setattr(cluster, "why_no_ssh", lambda cluster: "")
    monkeypatch.setattr(cluster, "bring_up", ray.bring_up)
    monkeypatch.setattr(cluster, "copy_credentials", ray.copy_credentials)
    return ray


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    return use(Ray({"10.0.0.1", "10.0.0.2"}), monkeypatch)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


PLACES = ("--tracking-uri", "https://mlflow.lan", "--results", "/shared/results")


def test_a_launch_brings_up_waits_submits_and_follows(project: Path, ray: Ray) -> None:
    result = call("launch", "spec.yaml", "--trials", "3", *PLACES)
    assert result.exit_code == 0, result.output
    assert ray.done == [
        "up",
        "python -m search run spec.yaml --set budget.trials=3 --set budget.stop=never "
        "--address auto --tracking-uri https://mlflow.lan --results /shared/results",
    ]
    assert "2 of 2 nodes have joined" in result.output
    assert f"log of {next(iter(ray.submitted))}" in result.output
    assert f"ray down {project / 'cluster.yaml'}" in result.output


def test_first_configurations_travel_with_a_launch(project: Path, ray: Ray) -> None:
    (project / "first.yaml").write_text("- {adamw.learning_rate: 0.005}\n")
    assert call("launch", "spec.yaml", "--first", "first.yaml", *PLACES).exit_code == 0
    assert "run spec.yaml --first first.yaml --address auto" in ray.done[1]
    refused = call("launch", "--resume", "a", "--first", "first.yaml", *PLACES)
    assert "--first or --cold; fix: leave" in str(refused.exception)


def test_a_cluster_that_is_up_is_not_brought_up_again(project: Path, ray: Ray) -> None:
    ray.is_up = True
    assert call("launch", "spec.yaml", *PLACES).exit_code == 0
    assert "up" not in ray.done


def test_nothing_is_submitted_while_a_node_is_missing(project: Path, ray: Ray) -> None:
    ray.nodes = {"10.0.0.1"}
    result = call("launch", "spec.yaml", "--wait-minutes", "0", *PLACES)
    assert result.exit_code == 1
    assert "10.0.0.2" in result.output
    assert not ray.submitted


def test_a_search_may_start_on_fewer_nodes(project: Path, ray: Ray) -> None:
    ray.nodes = {"10.0.0.1"}
    assert call("launch", "spec.yaml", "--nodes", "1", *PLACES).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("spec.yaml", "--tracking-uri", "sqlite:///x.db", "--results", "/shared"),
        ("spec.yaml", "--tracking-uri", "https://mlflow.lan", "--results", "results"),
        ("none.yaml", *PLACES),
        ("spec.yaml", "--set", "bugdet.trials=3", *PLACES),
        ("spec.yaml", "--resume", "digits-1", *PLACES),
        PLACES,
    ],
)
def test_mistakes_are_reported_before_anything_is_brought_up(
    project: Path, ray: Ray, arguments: tuple[str, ...]
) -> None:
    result = call("launch", *arguments)
    assert isinstance(result.exception, ValueError)  # `main` prints it and exits with 2
    assert not ray.done


def test_a_cluster_file_with_mistakes_is_refused_with_all_of_them(project: Path, ray: Ray) -> None:
    text = (
        CLUSTER
        + "idle_minutes: 3\nfile_mounts: {/a: ./none}\nsetup_commands: [mount fs-REPLACE_ME]\n"
    )
    (project / "cluster.yaml").write_text(text)
    result = str(call("launch", "spec.yaml", *PLACES).exception)
    assert all(
        word in result for word in ("idle_minutes", "./none", "setup_commands.0 = fs-REPLACE_ME")
    )
    assert not ray.done


def test_a_head_with_another_version_of_ray_gets_no_search(project: Path, ray: Ray) -> None:
    ray.is_up, ray.ray = True, "2.0.0"
    result = call("launch", "spec.yaml", *PLACES)
    assert result.exit_code == 1 and "the head runs ray 2.0.0" in result.output
    assert not ray.done


def test_a_head_that_refuses_logins_is_reported_before_rays_launcher_waits_for_it(
    project: Path, ray: Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def tunnel(cluster: ClusterFile, log: Path) -> Iterator[str]:
        raise HeadUnreachable("Permission denied (publickey)")
        yield

    monkeypatch.setattr(launcher, "tunnel", tunnel)
    result = call("launch", "spec.yaml", *PLACES)
    assert result.exit_code == 1 and "cluster.yaml: Permission denied (publickey)" in result.output
    assert not ray.done


def test_a_token_that_others_can_read_stops_the_launch(project: Path, ray: Ray) -> None:
    (Path.home() / ".ray" / "auth_token").chmod(0o644)
    assert isinstance(call("launch", "spec.yaml", *PLACES).exception, PermissionError)
    assert not ray.done


def test_credentials_travel_as_a_file_and_in_no_command(project: Path, ray: Ray) -> None:
    file = Path.home() / ".mlflow" / "credentials"
    file.parent.mkdir()
    file.write_text("s3cret")
    file.chmod(0o600)
    assert call("launch", "spec.yaml", *PLACES).exit_code == 0
    assert ray.done[1] == "copy credentials"
    assert "s3cret" not in ray.done[2]


def test_an_interrupted_search_continues_on_a_new_cluster(project: Path, ray: Ray) -> None:
    result = call("launch", "--resume", "digits-1", "--allow-code", "hills:slow", *PLACES)
    assert result.exit_code == 0, result.output
    assert ray.done[1].startswith(
        "python -m search resume digits-1 --allow-code hills:slow --address auto"
    )


def test_ctrl_c_leaves_the_search_running_and_says_how_to_continue(project: Path, ray: Ray) -> None:
    ray.interrupts = True
    result = call("launch", "spec.yaml", *PLACES)
    (job,) = ray.submitted
    assert result.exit_code == 130
    assert f"twentieth attach {job} --cluster {project / 'cluster.yaml'} --stop" in result.output
    assert "ray down" in result.output
    assert "stop" not in ray.done


def test_attach_takes_the_newest_search(project: Path, ray: Ray) -> None:
    ray.is_up, ray.submitted = True, {"twentieth-a": 2, "twentieth-b": 1}
    assert "log of twentieth-a" in call("attach").output


def test_a_search_is_stopped_when_asked(project: Path, ray: Ray) -> None:
    ray.is_up, ray.submitted = True, {"twentieth-a": 2}
    ray.status = lambda name: "STOPPED" if "stop" in ray.done else "RUNNING"  # type: ignore[method-assign]
    assert call("attach", "--stop").exit_code == 0
    assert ray.done == ["stop"]


def test_attaching_to_a_cluster_that_is_down_says_so(project: Path, ray: Ray) -> None:
    said = call("attach")
    assert said.exit_code == 1
    assert "if the cluster is down, `ray up" in said.output

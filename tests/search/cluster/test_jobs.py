from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from search.cluster import jobs
from search.cluster.cluster_file import ClusterFile
from search.cluster.jobs import (
    Service,
    entrypoint,
    follow_job,
    new_name,
    newest,
    wait_until_joined,
)
from tests.support.proxies import Silent, serving
from tests.support.servers import free_port

CLOUD = ClusterFile(Path("/c.yaml"), "c", False, 3)
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
ON_PREMISE = ClusterFile(Path("/c.yaml"), "c", True, 3, HOSTS)


class FakeService:
    """A cluster with scripted answers; an exception among them is raised."""

    def __init__(
        self, joins: list[set[str]] | None = None,
        answers: list[tuple[str, str] | Exception] | None = None,
    ) -> None:  # fmt: skip
        self.joins, self.answers = joins or [], answers or []
        self.now = ("", "")

    def joined(self) -> set[str]:
        return self.joins.pop(0) if len(self.joins) > 1 else self.joins[0]

    def submit(self, name: str, entrypoint: str, project: Path) -> None:
        raise AssertionError("not asked for")

    def jobs(self) -> dict[str, int]:
        return {"twentieth-a": 1}

    def status(self, name: str) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.now = answer
        return answer[0]

    def log(self, name: str) -> str:
        return self.now[1]

    def stop(self, name: str) -> None:
        raise AssertionError("not asked for")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.0)


def test_waiting_ends_when_the_last_node_has_joined() -> None:
    lines: list[str] = []
    service = FakeService(joins=[{"a"}, {"a", "b"}, {"a", "b"}, {"a", "b", "c"}])
    wait_until_joined(service, CLOUD, 3, 1.0, lines.append)
    assert lines == [f"{count} of 3 nodes have joined" for count in (1, 2, 3)]


def test_missing_hosts_are_named_when_they_do_not_join() -> None:
    service = FakeService(joins=[{"10.0.0.1", "10.0.0.3"}])
    with pytest.raises(TimeoutError, match=r"1 of 3 .*\(10\.0\.0\.2\); nothing was submitted"):
        wait_until_joined(service, ON_PREMISE, 3, 0.0, lambda text: None)


def followed(service: FakeService) -> tuple[str, str]:
    written: list[str] = []

    @contextlib.contextmanager
    def connect() -> Iterator[Service]:
        yield service

    return follow_job(connect, "twentieth-a", written.append), "".join(written)


def test_a_log_is_followed_to_the_jobs_end() -> None:
    service = FakeService(
        answers=[("PENDING", ""), ("RUNNING", "one\n"), ("SUCCEEDED", "one\ntwo\n")]
    )
    assert followed(service) == ("SUCCEEDED", "one\ntwo\n")


def test_after_a_lost_connection_no_line_is_missing_or_repeated() -> None:
    service = FakeService(answers=[
        ("RUNNING", "one\n"), ConnectionError("gone"), RuntimeError("502"),
        ("FAILED", "one\ntwo\n"),
    ])  # fmt: skip
    assert followed(service) == ("FAILED", "one\ntwo\n")


def test_a_head_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOST_SECONDS", -1.0)
    with pytest.raises(ConnectionError, match="has not answered"):
        followed(FakeService(answers=[ConnectionError("gone")]))


def test_a_job_that_does_not_exist_is_reported_at_once() -> None:
    @contextlib.contextmanager
    def connect() -> Iterator[Service]:
        yield FakeService()

    with pytest.raises(LookupError, match="no job twentieth-b"):
        follow_job(connect, "twentieth-b", lambda text: None)


def test_the_newest_job_is_the_search_that_began_last() -> None:
    assert newest({"twentieth-a": 2, "twentieth-b": 1, "raysub": 9}) == "twentieth-a"
    with pytest.raises(LookupError, match="twentieth launch"):
        newest({"raysub": 9})


def test_two_jobs_of_one_spec_have_two_names() -> None:
    assert new_name("digits").startswith("twentieth-digits-")
    assert new_name("digits") != new_name("digits")


def test_arguments_are_quoted_for_the_shell() -> None:
    command = entrypoint(["run", "a b.yaml", "--set", "x=$(reboot)"], CLOUD, leaves=False)
    assert command == "python -m search run 'a b.yaml' --set 'x=$(reboot)'"


@pytest.mark.parametrize(
    ("cluster", "last"), [(CLOUD, "sudo shutdown -h now"), (ON_PREMISE, "ray stop")]
)
def test_a_job_that_ends_its_cluster_keeps_the_searchs_exit_code(
    cluster: ClusterFile, last: str
) -> None:
    command = entrypoint(["run", "s.yaml"], cluster, leaves=True)
    assert command.startswith("python -m search run s.yaml; code=$?; setsid sh -c ")
    assert f"; {last}" in command
    # On premise `ray down` would not end: the autoscaler starts its workers again.
    assert ("ray down ~/ray_bootstrap_config.yaml" in command) == (not cluster.is_on_premise)
    assert command.endswith("& exit $code")


JOBS_OF_A_YEAR = 1_200


@pytest.fixture
def dashboard() -> Iterator[str]:
    """The address of a job service with more jobs than any page has."""

    class Handler(Silent):
        def do_GET(self) -> None:
            said: Any = {"version": "4", "ray_version": version("ray"), "ray_commit": "x"}
            if self.path.startswith("/api/jobs/"):
                said = [
                    {"type": "SUBMISSION", "submission_id": f"twentieth-{number}",
                     "entrypoint": "x", "status": "SUCCEEDED", "start_time": number}
                    for number in range(JOBS_OF_A_YEAR)
                ]  # fmt: skip
            self.reply(200, json.dumps(said).encode())

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}"


def test_all_jobs_of_a_head_are_listed_however_many(dashboard: str) -> None:
    found = Service(dashboard).jobs()
    assert len(found) == JOBS_OF_A_YEAR
    assert newest(found) == f"twentieth-{JOBS_OF_A_YEAR - 1}"


def test_a_proxy_of_this_machine_does_not_come_between_it_and_the_tunnel_to_the_head(
    dashboard: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(jobs, "TOKEN", tmp_path / "token")
    for variable in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")  # where nothing listens
    monkeypatch.setenv("NO_PROXY", "inside.test")
    monkeypatch.delenv("no_proxy", raising=False)
    service = Service(dashboard)
    assert service.jobs() and service.version() == version("ray")
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "inside.test,127.0.0.1"

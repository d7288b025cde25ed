"""deploy/mlflow: parses, publishes nothing by default, and keeps its secrets out of sight."""

import configparser
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "mlflow"
# A key that names a secret and has a literal value, neither a file nor a variable.
_SECRET = re.compile(
    r"(?i)(password|secret_key|access_key|token|session_key)\w*\s*[:=]\s*['\"]?(?![/$\"'\s{(.\[]|\w*\s*=)(\S+)"
)
_IN_URI = re.compile(r"\w+://[^\s/:@]+:[^\s/@]+@")


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((RECIPE / "compose.yaml").read_text(encoding="utf-8"))
    return document


def secrets_in(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in lines if _SECRET.search(line) or _IN_URI.search(line)]


@pytest.mark.parametrize("name", ["compose.yaml", "basic_auth.ini", "start.sh", "Dockerfile"])
def test_no_file_of_the_recipe_holds_a_secret(name: str) -> None:
    assert secrets_in((RECIPE / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "      POSTGRES_PASSWORD: hunter2",
        "admin_password = password1234",
        "AWS_SECRET_ACCESS_KEY=abc",
        "--backend-store-uri postgresql://mlflow:hunter2@database/mlflow",
    ],
)
def test_a_secret_in_a_file_would_be_found(line: str) -> None:
    assert secrets_in(line) == [line]


def test_every_secret_that_a_service_reads_is_a_file_that_git_ignores() -> None:
    document = compose()
    files = [each["file"] for each in document["secrets"].values()]

    used = {name for service in document["services"].values() for name in service["secrets"]}
    assert used == set(document["secrets"])
    assert all(file.startswith("./secrets/") for file in files)
    for name in (*files, ".env"):
        ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=RECIPE, check=False)
        assert ignored.returncode == 0, f"{name} could be committed"


def test_only_the_server_is_published_and_on_loopback_unless_told_otherwise() -> None:
    services = compose()["services"]

    assert services["server"]["ports"] == ["${BIND_ADDRESS:-127.0.0.1}:5000:5000"]
    assert "ports" not in services["database"] and services["database"]["networks"] == ["inside"]
    assert compose()["networks"]["inside"] == {"internal": True}


def test_the_server_runs_without_privileges_on_a_read_only_root() -> None:
    server = compose()["services"]["server"]

    assert server["read_only"] is True and server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in server


def test_accounts_are_mlflows_own_and_are_in_the_same_database() -> None:
    found = configparser.ConfigParser()
    found.read(RECIPE / "basic_auth.ini")

    assert found["mlflow"]["database_uri"] == "postgresql://mlflow@database/mlflow"
    assert found["mlflow"]["default_permission"] in ("READ", "NO_PERMISSIONS")
    assert "admin_password" not in found["mlflow"]


def started(tmp_path: Path) -> tuple[list[str], dict[str, str], Path]:
    """Returns the command line and environment with which start.sh starts MLflow, and its home."""
    home, secrets, programs = tmp_path / "home", tmp_path / "secrets", tmp_path / "programs"
    for folder in (home, secrets, programs):
        folder.mkdir()
    for name in ("database_password", "admin_password", "session_key"):
        (secrets / name).write_text(f"the-{name}")
    fake = programs / "mlflow"
    fake.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done > ~/words\nenv > ~/env\n')
    fake.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "SECRETS": str(secrets),
        "DATABASE_HOST": "database", "ALLOWED_HOSTS": "mlflow.internal:5000",
        "ARTIFACTS": "s3://bucket/place",
    }  # fmt: skip
    subprocess.run(["sh", str(RECIPE / "start.sh")], env=environment, check=True, timeout=60)
    lines = (home / "env").read_text().splitlines()
    return (home / "words").read_text().split(), dict(each.split("=", 1) for each in lines), home


def test_no_secret_is_in_the_servers_command_line(tmp_path: Path) -> None:
    words, environment, home = started(tmp_path)

    assert not [word for word in words if "the-" in word]
    assert environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == "the-admin_password"
    assert environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] == "the-session_key"
    assert (home / ".pgpass").read_text() == "database:5432:mlflow:mlflow:the-database_password\n"
    assert (home / ".pgpass").stat().st_mode & 0o777 == 0o600


def test_the_server_asks_for_passwords_and_checks_its_hosts(tmp_path: Path) -> None:
    words, _, _ = started(tmp_path)
    options = dict(zip(words[1::2], words[2::2], strict=True))

    assert options["--app-name"] == "basic-auth"
    assert options["--allowed-hosts"] == "mlflow.internal:5000"
    assert options["--backend-store-uri"] == "postgresql://mlflow@database/mlflow"
    assert options["--artifacts-destination"] == "s3://bucket/place"
    assert "--disable-security-middleware" not in words


def test_a_missing_secret_stops_the_server_before_it_starts(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["sh", str(RECIPE / "start.sh")], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SECRETS": str(tmp_path / "none"),
             "DATABASE_HOST": "database", "ALLOWED_HOSTS": "a", "ARTIFACTS": "b"},
    )  # fmt: skip

    assert ended.returncode != 0 and "database_password" in ended.stderr
    assert not (tmp_path / ".pgpass").exists()

"""cluster.yaml and deploy/on_premise.yaml: valid for Ray, closed, and without needless costs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.deploy_files.rules import TOKEN, broken_rules, ray_starts

ROOT = Path(__file__).resolve().parents[2]
AWS, ON_PREMISE = ROOT / "cluster.yaml", ROOT / "deploy" / "on_premise.yaml"
FILES = pytest.mark.parametrize("path", [AWS, ON_PREMISE], ids=["aws", "on_premise"])
TYPES = "available_node_types"
HEAD, SPOT, ON_DEMAND = (TYPES, "head"), (TYPES, "gpu_spot"), (TYPES, "gpu_on_demand")
ON_SHUTDOWN = ("node_config", "InstanceInitiatedShutdownBehavior")


def read(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return config


def with_text(config: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    text = yaml.safe_dump(config, width=10_000)
    assert old in text, f"{old} is not in the file, so replacing it would show nothing"
    changed: dict[str, Any] = yaml.safe_load(text.replace(old, new))
    return changed


def with_value(config: dict[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Returns a copy with one key changed, or left out where the value is None."""
    changed = dict(config)
    if len(keys) > 1:
        changed[keys[0]] = with_value(config[keys[0]], keys[1:], value)
    elif value is None:
        del changed[keys[0]]
    else:
        changed[keys[0]] = value
    return changed


@FILES
def test_a_cluster_file_validates_against_rays_own_schema(path: Path) -> None:
    validate_config(prepare_config(read(path)))


@FILES
def test_rays_schema_refuses_a_key_that_it_does_not_know(path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError, match="idle_minutes"):
        validate_config(prepare_config(read(path) | {"idle_minutes": 1}))


@FILES
def test_a_cluster_file_keeps_every_rule_of_the_project(path: Path) -> None:
    assert broken_rules(read(path)) == []


@pytest.mark.slow
@FILES
def test_ray_start_knows_every_flag_of_a_cluster_file(path: Path) -> None:
    from ray.scripts.scripts import start

    known = {name for parameter in start.params for name in parameter.opts}
    used = [word.partition("=")[0] for line in ray_starts(read(path)) for word in line.split()
            if word.startswith("--")]  # fmt: skip

    assert used and set(used) <= known


@FILES
def test_the_files_that_a_cluster_file_copies_exist(path: Path) -> None:
    sources = [Path(each) for name, each in read(path)["file_mounts"].items() if name != TOKEN]

    assert sources and all((ROOT / each).is_file() for each in sources)


@FILES
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("--dashboard-host=127.0.0.1", "--dashboard-host=10.0.0.11", "dashboard on loopback"),
        (" --dashboard-host=127.0.0.1", "", "dashboard on loopback"),
        ("export RAY_AUTH_MODE=token", "export RAY_AUTH_MODE=disabled", "token mode"),
        (" RAY_enable_metrics_collection=0", "", "no metrics"),
        (" AUTOSCALER_METRIC_PORT=-1", "", "no metrics"),
        ("DASHBOARD_METRIC_PORT=-1", "DASHBOARD_METRIC_PORT=44227", "no metrics"),
        ("chmod 600 ~/.ray/auth_token", "true", "token closed"),
        ("~/.ray/auth_token: ~/.ray/auth_token", "~/other: ~/other", "token distributed"),
        ("--constraint ~/dependencies/constraints.txt", "", "pinned set"),
        ("ray[default,tune]", "ray[tune]", "pinned set"),
        ("./constraints.txt", "./other.txt", "pinned set"),
        ("--min-worker-port=10002", "", "fixed ports"),
        ("--node-manager-port=6380", "--node-manager-port=0", "fixed ports"),
        ("/shared", "/tmp/here", "shared storage"),
    ],
)
def test_a_rule_that_a_cluster_file_breaks_is_named(
    path: Path, old: str, new: str, rule: str
) -> None:
    assert broken_rules(with_text(read(path), old, new)) == [rule]


@FILES
@pytest.mark.parametrize("group", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_one_node_without_token_mode_is_enough_to_break_the_rule(path: Path, group: str) -> None:
    config = read(path)
    config[group] = [line.replace("RAY_AUTH_MODE=token", "A=b") for line in config[group]]

    assert "token mode" in broken_rules(config)


INGRESS = {"IpPermissions": [{"FromPort": 8265, "ToPort": 8265, "IpProtocol": "tcp",
                              "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "value", "rule"),
    [
        (("idle_timeout_minutes",), 0, "workers idle out"),
        (("idle_timeout_minutes",), 600, "workers idle out"),
        ((*SPOT, "min_workers"), 2, "workers idle out"),
        ((*SPOT, "idle_timeout_s"), 86_400, "workers idle out"),
        ((*ON_DEMAND, "max_workers"), 1, "on demand only if asked for"),
        ((*SPOT, "priority"), 0, "spot first"),
        ((*HEAD, "resources"), {"CPU": 4}, "no trial on the head"),
        ((*HEAD, "resources"), {}, "no trial on the head"),
        ((*HEAD, "node_config", "InstanceMarketOptions"), {"MarketType": "spot"}, "head on demand"),
        ((*HEAD, *ON_SHUTDOWN), "stop", "shutdown ends paying"),
        ((*SPOT, *ON_SHUTDOWN), None, "shutdown ends paying"),
        (("provider", "cache_stopped_nodes"), True, "shutdown ends paying"),
        ((*SPOT, "node_config", "MetadataOptions"), None, "IMDSv2"),
        ((*SPOT, "node_config", "MetadataOptions"), {"HttpTokens": "optional"}, "IMDSv2"),
        ((*SPOT, "node_config", "BlockDeviceMappings"), None, "encrypted disk"),
        ((*HEAD, "node_config", "SecurityGroupIds"), None, "own security group"),
        (("provider", "security_group"), INGRESS, "nothing open to the world"),
    ],
)  # fmt: skip
def test_a_rule_for_aws_that_the_file_breaks_is_named(
    keys: tuple[str, ...], value: Any, rule: str
) -> None:
    assert broken_rules(with_value(read(AWS), keys, value)) == [rule]


def test_workers_all_on_demand_are_not_spot_first() -> None:
    keys = (*SPOT, "node_config", "InstanceMarketOptions")

    assert "spot first" in broken_rules(with_value(read(AWS), keys, None))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (" --num-cpus=0", "", "no trial on the head"),
        (" RAY_enable_autoscaler_v2=0", "", "autoscaler v1"),
        ("address=10.0.0.11", "address=10.0.0.99", "head announces its address"),
    ],
)  # fmt: skip
def test_a_rule_for_own_machines_that_the_file_breaks_is_named(
    old: str, new: str, rule: str
) -> None:
    assert broken_rules(with_text(read(ON_PREMISE), old, new)) == [rule]


def test_both_files_start_ray_with_the_same_ports() -> None:
    flags = [
        {word for line in ray_starts(read(path)) for word in line.split() if "-port=" in word}
        for path in (AWS, ON_PREMISE)
    ]

    assert flags[0] == flags[1]


@FILES
def test_the_dependencies_that_are_installed_are_those_of_the_project(
    path: Path, tmp_path: Path
) -> None:
    (install,) = [line for line in read(path)["setup_commands"] if "requirements.txt" in line]
    home = tmp_path / "home"
    (home / "dependencies").mkdir(parents=True)
    (home / "environment" / "bin").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        (home / "dependencies" / name).write_bytes((ROOT / name).read_bytes())
    (home / "environment/bin/python").symlink_to(Path(sys.executable))
    pip = home / "environment/bin/pip"
    pip.write_text('#!/bin/sh\necho "$@" > ~/asked\n')
    pip.chmod(0o755)

    environment = os.environ | {"HOME": str(home)}
    subprocess.run(["bash", "-c", install], cwd=home, env=environment, check=True)

    wanted = (home / "dependencies/requirements.txt").read_text().splitlines()
    asked = (home / "asked").read_text()
    assert "ray[default,tune]>=2.60" in wanted and "psycopg[binary]>=3.2" in wanted
    assert ("boto3>=1.40" in wanted) == (path == AWS)  # the head starts workers with it
    assert f"--constraint {home}/dependencies/constraints.txt" in asked


def test_an_aws_file_that_does_not_watch_ray_breaks_a_rule() -> None:
    changed = with_text(read(AWS), "off-without-ray", "x")

    assert broken_rules(changed) == ["a node without Ray ends itself"]


@pytest.mark.parametrize(("alive_for", "minutes"), [(0, 10), (3, 13)])
def test_a_node_powers_itself_off_ten_minutes_after_ray_ended(
    tmp_path: Path, alive_for: int, minutes: int
) -> None:
    (line,) = [each for each in read(AWS)["setup_commands"] if "off-without-ray" in each]
    script = line.split("bash -c", 1)[1].strip().strip("'")
    for name, body in {
        "sleep": "echo x >> minutes",
        "pgrep": f'[ "$(wc -l < minutes)" -le {alive_for} ]',
        "shutdown": "echo off >> ended",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)

    subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, check=True, timeout=60,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip

    assert (tmp_path / "ended").read_text() == "off\n"
    assert len((tmp_path / "minutes").read_text().splitlines()) == minutes


def mistakes_for_ec2(node_config: dict[str, Any]) -> str:
    """Returns what botocore's model of EC2 finds wrong with a request for a node; else empty."""
    from botocore.session import Session
    from botocore.validate import ParamValidator

    model = Session().get_service_model("ec2").operation_model("RunInstances").input_shape
    request = node_config | {"MinCount": 1, "MaxCount": 1}
    return str(ParamValidator().validate(request, model).generate_report())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["head", "gpu_spot", "gpu_on_demand"])
def test_the_request_for_a_node_is_valid_for_ec2(kind: str) -> None:
    assert mistakes_for_ec2(read(AWS)[TYPES][kind]["node_config"]) == ""


def test_a_key_that_ec2_does_not_know_would_be_found() -> None:
    node_config = read(AWS)[TYPES]["head"]["node_config"] | {"MetadataOption": {}}

    assert "MetadataOption" in mistakes_for_ec2(node_config)

"""Ray's own bootstrap and node provider, with cluster.yaml, on an EC2 and an IAM in memory (moto).

It shows that the calls are accepted and which nodes they request. It does not show that AWS has the
machines, that the image has its driver, or that the group has its rules.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config, validate_config

# moto loads all of AWS's own policies for each: 4 s a test.
pytestmark = pytest.mark.long

FILE = Path(__file__).resolve().parents[2] / "cluster.yaml"
NODE_TYPES = ("head", "gpu_spot", "gpu_on_demand")
TYPES = "available_node_types"


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray writes the key pair that it makes
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # Ray waits 30 s until a new role is known everywhere.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        yield boto3.client("ec2", region_name="us-west-2")


def filled_in(ec2: Any) -> dict[str, Any]:
    """Returns cluster.yaml with the ids that a user makes first, as `ray up` reads it."""
    network = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="twentieth", Description="Ray", VpcId=network)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    text = FILE.read_text(encoding="utf-8").replace("ami-REPLACE_ME", image)
    document = yaml.safe_load(text.replace("sg-REPLACE_ME", group["GroupId"]))
    config: dict[str, Any] = prepare_config(document)
    validate_config(config)
    return config


def started(ec2: Any, config: dict[str, Any], node_type: str) -> dict[str, Any]:
    """Returns the instance that EC2 starts when Ray requests a node of that type."""
    node_config = dict(config[TYPES][node_type]["node_config"])
    if node_type == config["head_node_type"]:
        node_config |= config["head_node"]
    provider = AWSNodeProvider(dict(config["provider"]), config["cluster_name"])
    provider.create_node(node_config, {"ray-user-node-type": node_type}, 1)
    (reservation,) = ec2.describe_instances()["Reservations"]
    (instance,) = reservation["Instances"]
    return dict(instance)


def test_ray_makes_a_key_and_a_role_for_the_head_and_no_group_of_its_own(
    ec2: Any, tmp_path: Path
) -> None:
    config = bootstrap_aws(filled_in(ec2))

    groups = {each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]}
    assert groups == {"default", "twentieth"}
    key = Path(config["auth"]["ssh_private_key"])
    assert key.is_relative_to(tmp_path) and key.stat().st_mode & 0o077 == 0
    assert "instance-profile/" in config["head_node"]["IamInstanceProfile"]["Arn"]
    assert not any("IamInstanceProfile" in each["node_config"] for each in config[TYPES].values())


def test_every_type_of_node_has_a_subnet_in_each_zone_of_the_file(ec2: Any) -> None:
    config = bootstrap_aws(filled_in(ec2))

    zones = {
        each["SubnetId"]: each["AvailabilityZone"] for each in ec2.describe_subnets()["Subnets"]
    }
    wanted = config["provider"]["availability_zone"].split(",")
    for node_type in NODE_TYPES:
        subnets = config[TYPES][node_type]["node_config"]["SubnetIds"]
        assert sorted(zones[each] for each in subnets) == sorted(wanted)


@pytest.mark.parametrize("node_type", NODE_TYPES)
def test_a_node_is_started_as_the_file_says(ec2: Any, node_type: str) -> None:
    config = bootstrap_aws(filled_in(ec2))
    wanted = config[TYPES][node_type]["node_config"]

    node = started(ec2, config, node_type)

    assert (node["InstanceType"], node["ImageId"]) == (wanted["InstanceType"], wanted["ImageId"])
    assert [each["GroupId"] for each in node["SecurityGroups"]] == wanted["SecurityGroupIds"]
    assert (node.get("InstanceLifecycle") == "spot") == (node_type == "gpu_spot")
    assert ("IamInstanceProfile" in node) == (node_type == "head")
    assert node["MetadataOptions"]["HttpTokens"] == "required"
    assert node["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (120, "gp3", True)
    shutdown = ec2.describe_instance_attribute(
        InstanceId=node["InstanceId"], Attribute="instanceInitiatedShutdownBehavior"
    )
    assert shutdown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


def test_a_group_that_the_account_does_not_have_is_refused(
    ec2: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config = filled_in(ec2)
    for node_type in NODE_TYPES:
        config[TYPES][node_type]["node_config"]["SecurityGroupIds"] = ["sg-0123456789abcdef0"]

    with pytest.raises(AssertionError):
        bootstrap_aws(config)
    assert "Failed to detect a security group" in capsys.readouterr().err

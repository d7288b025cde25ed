"""deploy/rayjob.yaml: valid for KubeRay's published definition, and as closed as cluster.yaml."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import typer
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((Path(__file__).parent / "rayjob_schema.yaml").read_text(encoding="utf-8"))


def manifest() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "rayjob.yaml").read_text())
    return document


def cluster_of(document: dict[str, Any]) -> dict[str, Any]:
    cluster: dict[str, Any] = document["spec"]["rayClusterSpec"]
    return cluster


def groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = cluster_of(document)
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_the_manifest_validates_against_the_published_definition() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(manifest(), SCHEMA)


def _misspell(document: dict[str, Any]) -> None:
    document["spec"]["shutdownAfterJobFinish"] = True


def _number_for_text(document: dict[str, Any]) -> None:
    groups(document)[0]["rayStartParams"]["num-cpus"] = 0


def _unknown_mode(document: dict[str, Any]) -> None:
    cluster_of(document)["authOptions"]["mode"] = "on"


def _no_name(document: dict[str, Any]) -> None:
    del cluster_of(document)["workerGroupSpecs"][0]["groupName"]


def _no_claim(document: dict[str, Any]) -> None:
    groups(document)[1]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] = {}


def _bad_quantity(document: dict[str, Any]) -> None:
    _container(groups(document)[1])["resources"]["limits"]["memory"] = "28 GB"


@pytest.mark.parametrize(
    "spoil", [_misspell, _number_for_text, _unknown_mode, _no_name, _no_claim, _bad_quantity]
)
def test_the_definition_refuses_what_kubernetes_would(
    spoil: Callable[[dict[str, Any]], None],
) -> None:
    document = manifest()
    spoil(document)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def _container(group: dict[str, Any]) -> dict[str, Any]:
    (container,) = group["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def test_the_cluster_asks_for_a_token_and_is_reached_from_inside_only() -> None:
    head = cluster_of(manifest())["headGroupSpec"]

    assert cluster_of(manifest())["authOptions"] == {"mode": "token"}
    assert head["serviceType"] == "ClusterIP" and head["enableIngress"] is False
    assert "LoadBalancer" not in str(manifest()) and "NodePort" not in str(manifest())


def test_everything_that_costs_ends_with_the_search() -> None:
    spec = manifest()["spec"]

    assert spec["shutdownAfterJobFinishes"] is True and spec["ttlSecondsAfterFinished"] <= 3600
    assert spec["activeDeadlineSeconds"] > 0 and spec["backoffLimit"] == 0
    assert all(group["minReplicas"] == 0 for group in cluster_of(manifest())["workerGroupSpecs"])
    assert cluster_of(manifest())["enableInTreeAutoscaling"] is True


def test_pods_run_without_root_and_without_privileges() -> None:
    for group in groups(manifest()):
        pod, container = group["template"]["spec"]["securityContext"], _container(group)
        assert pod["runAsNonRoot"] is True and pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
        }


def test_every_pod_mounts_the_same_shared_storage_and_only_the_head_sees_mlflows_password() -> None:
    mounts = [{each["name"]: each["mountPath"] for each in _container(group)["volumeMounts"]}
              for group in groups(manifest())]  # fmt: skip

    assert {each["shared"] for each in mounts} == {"/shared"}
    assert ["mlflow" in each for each in mounts] == [True, False]


def test_ray_has_one_version_in_manifest_image_and_environment() -> None:
    image = (ROOT / "deploy" / "Dockerfile").read_text()

    assert cluster_of(manifest())["rayVersion"] == ray.__version__
    assert f"FROM rayproject/ray:{ray.__version__}-py311" in image


def test_no_trial_runs_on_the_head_and_workers_have_a_gpu() -> None:
    head, worker = groups(manifest())

    assert head["rayStartParams"]["num-cpus"] == "0"
    assert _container(worker)["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_the_entrypoint_is_a_valid_command() -> None:
    from search.__main__ import app

    words = shlex.split(manifest()["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "search"]
    command = typer.main.get_command(app).commands[words[3]]  # type: ignore[attr-defined]
    options = command.make_context(words[3], words[4:]).params

    assert (ROOT / options["spec"]).is_file()
    assert options["address"] == "auto" and str(options["results"]).startswith("/shared/")
    assert options["tracking_uri"].startswith("http") and "@" not in options["tracking_uri"]

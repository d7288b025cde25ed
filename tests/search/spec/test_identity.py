"""A task's identity: what changes it and what does not."""

import dataclasses
import pickle
import re

import pytest
import yaml

from models.catalog import describe_data
from search.spec import spec_from_yaml, task_id
from tests.support.spec_documents import DATA, FLOAT, GOOD, changed


def test_a_fingerprint_ignores_how_one_searches() -> None:
    identity = task_id(spec_from_yaml(GOOD).fingerprint(DATA))
    assert re.fullmatch(r"digits-cnn@[0-9a-f]{8}", identity)
    for path, value in [
        ("seed", 7),
        ("name", "other"),
        ("budget/trials", 99),
        ("budget/hours", 2),
        ("space/width/high", 128),
        ("space/dropout", FLOAT),
        ("sampler/name", "random"),
        ("scheduler/name", "asha"),
        ("resources/parallelism", 4),
        ("history/enabled", False),
        ("robustness/epsilon", 0.1),  # the default, written out
    ]:
        assert task_id(spec_from_yaml(changed(path, value)).fingerprint(DATA)) == identity, path


def test_a_fingerprint_changes_with_what_objective_values_mean() -> None:
    good = spec_from_yaml(GOOD)
    identities = [task_id(good.fingerprint(DATA))]
    for path, value in [
        ("robustness/epsilon", 0.11),
        ("robustness/seed", 1),
        ("budget/epochs", 16),
        ("task/settings/batch_size", 32),
        ("objectives", [{"metric": "loss.train", "direction": "minimize"}]),
    ]:
        identities.append(task_id(spec_from_yaml(changed(path, value)).fingerprint(DATA)))
    other = dataclasses.replace(DATA, digest="0" * 12)
    identities.append(task_id(good.fingerprint(other)))
    assert len(set(identities)) == len(identities)


def test_a_tasks_hash_does_not_depend_on_names() -> None:
    spec = spec_from_yaml(GOOD)
    renamed = spec_from_yaml(changed("task/name", "mine"))
    moved = dataclasses.replace(DATA, name="copy_of_digits")
    one, two = task_id(spec.fingerprint(DATA)), task_id(renamed.fingerprint(moved))
    assert one.split("@")[1] == two.split("@")[1] and two.startswith("mine@")


def test_a_fingerprint_is_json_ready_and_fits_the_real_data() -> None:
    spec = spec_from_yaml(GOOD)
    fingerprint = spec.fingerprint(describe_data(spec.task.data))
    assert fingerprint["data"]["shape"] == [1, 8, 8]
    assert yaml.safe_load(yaml.safe_dump(fingerprint)) == fingerprint


def test_a_spec_cannot_be_changed() -> None:
    spec = spec_from_yaml(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(spec)) == spec

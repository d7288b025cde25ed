"""Similarity of tasks is computed from fingerprints, whatever is missing in them."""

from __future__ import annotations

from typing import Any

import pytest

from search.extract.task_similarity import RELEVANT, compare_tasks
from tests.support.synthetic_history import FINGERPRINT, TASK

MNIST = FINGERPRINT | {
    "data": {"name": "mnist", "kind": "images", "shape": [1, 28, 28], "classes": 10,
             "train": 50_000, "digest": "d2"},
}  # fmt: skip
SENTENCES = {
    "data": {"name": "sst2", "kind": "text", "shape": [64], "classes": 2, "train": 6_000,
             "digest": "d3"},
    "model": "transformer", "settings": {}, "robustness": {"norm": "none"},
}  # fmt: skip


def test_the_same_task_is_fully_similar_whatever_the_fingerprint_says() -> None:
    assert compare_tasks(TASK, FINGERPRINT, TASK, {}) == (1.0, ("the same task",))


def test_another_task_is_never_fully_similar() -> None:
    assert compare_tasks(TASK, FINGERPRINT, "other", FINGERPRINT).value < 1.0


def test_the_reasons_say_no_more_than_was_compared() -> None:
    data = {"name": "a", "digest": "1", "kind": "images", "classes": 10, "train": 100}
    first, second = {"data": data}, {"data": data | {"name": "b", "digest": "2"}, "epochs": 3}
    found = compare_tasks("a@1", first | {"epochs": 3}, "b@2", second)
    assert found.reasons == (
        "other data", "same kind of data", "same number of classes", "same number of examples",
        "same number of epochs",
    )  # fmt: skip


def test_another_data_set_of_the_kind_is_relevant_and_another_kind_is_not() -> None:
    near = compare_tasks(TASK, FINGERPRINT, "mnist", MNIST)
    far = compare_tasks(TASK, FINGERPRINT, "sst2", SENTENCES)
    assert near.value > RELEVANT > far.value
    assert "other data" in near.reasons and "same model" in near.reasons
    assert "other kind of data" in far.reasons


def test_another_version_of_the_data_is_between_the_same_and_another() -> None:
    version = FINGERPRINT | {"data": FINGERPRINT["data"] | {"digest": "d9"}}
    renamed = FINGERPRINT | {"data": FINGERPRINT["data"] | {"digest": "d9", "name": "x"}}
    same, newer, other = (
        compare_tasks(TASK, FINGERPRINT, "other", each).value
        for each in (FINGERPRINT, version, renamed)
    )
    assert same > newer > other


@pytest.mark.parametrize("classes", [10**400, 5e-324, float("inf"), float("nan"), -1, "10"])
def test_what_cannot_be_counted_is_unlike_any_count(classes: Any) -> None:
    counted, hostile = {"data": {"classes": 10}}, {"data": {"classes": classes}}
    assert compare_tasks("a", counted, "b", hostile).reasons == ("other number of classes",)


def test_a_threat_and_a_model_count() -> None:
    stronger = FINGERPRINT | {"robustness": {"norm": "linf", "epsilon": 0.3, "steps": 10}}
    other_model = FINGERPRINT | {"model": "transformer"}
    same = compare_tasks(TASK, FINGERPRINT, "other", FINGERPRINT).value
    assert same > compare_tasks(TASK, FINGERPRINT, "other", stronger).value
    assert compare_tasks(TASK, FINGERPRINT, "other", other_model).value <= same - 0.2


def test_similarity_is_symmetric() -> None:
    assert (
        compare_tasks("a", MNIST, "b", SENTENCES).value
        == pytest.approx(compare_tasks("b", SENTENCES, "a", MNIST).value)
    )  # fmt: skip


def test_unstated_attributes_count_half_and_are_named() -> None:
    found = compare_tasks("a", {"name": "a"}, "b", {"name": "b"})
    assert found.value == pytest.approx(0.5)
    assert found.reasons == ("nothing is stated",)


@pytest.mark.parametrize(
    "broken",
    [
        {"data": "digits", "settings": 3, "robustness": []},
        {"data": {"name": "x", "shape": "8x8", "classes": "ten", "train": -5}, "epochs": True},
        {"data": {"name": "x", "shape": [0, None, "a"], "classes": float("nan")}},
        {"data": None, "model": None},
        {"data": {"name": ["x"], "shape": []}, "model": {"a": 1}},
    ],
)
def test_a_malformed_fingerprint_is_tolerated(broken: dict[str, Any]) -> None:
    assert 0.0 <= compare_tasks(TASK, FINGERPRINT, "other", broken).value < 1.0

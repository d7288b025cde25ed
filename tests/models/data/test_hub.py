import sys
import types
from typing import ClassVar

import numpy as np
import pytest

from models.catalog import DataError, describe_data
from models.data.hub import _load, _load_images
from models.data.loading import load_images


class Image:
    pass


class ClassLabel:
    names = ("cat", "dog")


class Rows(dict):
    features: ClassVar[dict] = {"img": Image(), "label": ClassLabel()}


def rows(count: int, side: int = 4) -> Rows:
    pictures = np.random.default_rng(count).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return Rows(img=list(pictures), label=[i % 2 for i in range(count)])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict:
    """A stand-in for the package `datasets`: the hub is not reachable from the tests."""
    found: dict = {"train": rows(40), "test": rows(10)}

    def load_dataset(name: str) -> dict:
        if name != "pets":
            raise ConnectionError(f"cannot reach the hub for {name}")
        return found

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    for kept in (_load, _load_images):
        kept.cache_clear()
    yield found
    for kept in (_load, _load_images):
        kept.cache_clear()


def test_a_tenth_of_train_replaces_a_missing_validation_split(hub: dict) -> None:
    description = describe_data({"hub": "pets"})
    assert (description.train, description.validation, description.test) == (36, 4, 10)
    assert description.shape == (3, 4, 4) and description.classes == 2
    other = describe_data({"hub": "pets", "split_seed": 1})
    assert other.digest != description.digest


def test_a_validation_split_of_the_hub_is_used_as_it_is(hub: dict) -> None:
    hub["validation"] = rows(6)
    data = load_images({"hub": "pets"})
    assert len(data.validation_labels) == 6
    assert np.array_equal(data.test_images[0], np.moveaxis(hub["test"]["img"][0], -1, 0))


def test_a_hub_out_of_reach_is_named(hub: dict) -> None:
    with pytest.raises(DataError, match=r"'birds'.*cannot reach.*parquet"):
        describe_data({"hub": "birds"})


def test_images_of_different_sizes_are_refused(hub: dict) -> None:
    hub["test"]["img"][3] = np.zeros((5, 5, 3), np.uint8)
    with pytest.raises(DataError, match="test: images of different sizes"):
        describe_data({"hub": "pets"})


def test_hidden_labels_are_refused(hub: dict) -> None:
    hub["test"]["label"][:] = [-1] * 10
    with pytest.raises(DataError, match="hidden"):
        describe_data({"hub": "pets"})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    _load.cache_clear()
    _load_images.cache_clear()
    with pytest.raises(DataError, match=r"'datasets' is missing.*pip install"):
        describe_data({"hub": "pets"})

"""Images of the Hugging Face hub, which the tests cannot reach: what it would return is made."""

import hashlib
from collections.abc import Iterator
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pytest

from models.catalog import DataError, describe_data
from models.data import tables
from models.data.loading import load_images
from models.data.sources import content_digest
from tests.support.pictures import picture

answers = tables._answers  # the fixture replaces it
KINDS = datasets.Features(img=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"]))


def rows(count: int, start: int, **form: Any) -> datasets.Dataset:
    pictures = [
        picture(start + number, (4, 4), **{"mode": "RGB", **form}) for number in range(count)
    ]
    labels = [number % 2 for number in range(count)]
    return datasets.Dataset.from_dict({"img": pictures, "label": labels}, features=KINDS)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    found: dict = {"train": rows(40, 0), "test": rows(10, 100), "asked": []}

    def load_dataset(**arguments: Any) -> datasets.DatasetDict:
        found["asked"].append(arguments)
        if arguments["path"] != "pets":
            raise ConnectionError(f"cannot reach the hub for {arguments['path']}")
        return datasets.DatasetDict({key: value for key, value in found.items() if key != "asked"})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(tables, "_answers", lambda name: True)
    tables._open_hub.cache_clear()
    yield found
    tables._open_hub.cache_clear()


def test_a_tenth_of_train_replaces_a_missing_validation_split(hub: dict) -> None:
    description = describe_data({"hub": "pets"})
    assert (description.name, description.kind) == ("pets", "hub")
    assert (description.train, description.validation, description.test) == (36, 4, 10)
    assert description.shape == (3, 4, 4) and description.classes == 2
    other = describe_data({"hub": "pets", "split_seed": 1})
    assert other.digest != description.digest


def test_the_digest_is_over_pixels_and_labels_as_it_has_always_been(hub: dict) -> None:
    hub["validation"] = rows(6, 200)
    data = load_images({"hub": "pets"})
    arrays = [
        getattr(data, f"{split}_{part}")
        for split in ("test", "train", "validation") for part in ("images", "labels")
    ]  # fmt: skip
    seen = (content_digest(*arrays), None, None, None)
    expected = hashlib.sha256(repr(seen).encode()).hexdigest()[:12]
    assert describe_data({"hub": "pets"}).digest == expected


def test_a_validation_split_of_the_hub_is_used_as_it_is(hub: dict) -> None:
    hub["validation"] = rows(6, 200)
    data = load_images({"hub": "pets"})
    assert len(data.validation_labels) == 6
    first = np.asarray(picture(100, (4, 4), mode="RGB"))
    assert np.array_equal(data.test_images[0], np.moveaxis(first, -1, 0))


def test_revision_and_subset_are_asked_for(hub: dict) -> None:
    describe_data({"hub": "pets@1f2e", "subset": "small", "splits": {"validation": "test",
                                                                     "test": 0.25}})  # fmt: skip
    asked = hub["asked"][0]
    assert (asked["path"], asked["name"], asked["revision"]) == ("pets", "small", "1f2e")


def test_a_hub_out_of_reach_is_named(hub: dict) -> None:
    with pytest.raises(DataError, match=r"'birds'.*cannot reach.*fix: check the name"):
        describe_data({"hub": "birds"})


def test_a_hub_that_is_away_is_asked_once_and_the_copy_in_the_cache_is_used(
    hub: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def away(self: object, name: str, timeout: float) -> None:
        asked.append(name)
        raise ConnectionError("[Errno -2] Name or service not known")

    def kept(**arguments: Any) -> datasets.DatasetDict:
        assert datasets.config.HF_HUB_OFFLINE and huggingface_hub.constants.HF_HUB_OFFLINE
        if arguments["path"] != "pets":
            raise datasets.exceptions.DatasetNotFoundError("not in the cache")
        return datasets.DatasetDict({"train": hub["train"], "test": hub["test"]})

    monkeypatch.setattr(tables, "_answers", answers)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", away)
    monkeypatch.setattr(datasets, "load_dataset", kept)
    before = datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE
    assert describe_data({"hub": "pets"}).train == 36
    message = "hub 'birds': the hub does not answer, and the cache has no copy; fix: check the netw"
    with pytest.raises(DataError, match=message):
        describe_data({"hub": "birds"})
    assert asked == ["pets", "birds"]
    assert (datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE) == before


def test_images_of_different_sizes_need_a_size(hub: dict) -> None:
    hub["test"] = rows(10, 100).select(range(9))
    hub["validation"] = datasets.Dataset.from_dict(
        {"img": [picture(number, (5, 6)) for number in range(4)], "label": [0, 1, 0, 1]},
        features=KINDS,
    )
    with pytest.raises(DataError, match=r"49 of 4x4, 4 of 5x6; fix: set task.data.image_size"):
        describe_data({"hub": "pets"})
    assert describe_data({"hub": "pets", "image_size": 4}).shape == (3, 4, 4)


def test_hidden_labels_are_refused(hub: dict) -> None:
    hidden = {
        "img": [picture(number, (4, 4), mode="RGB") for number in range(4)],
        "label": [-1] * 4,
    }
    hub["test"] = datasets.Dataset.from_dict(hidden, features=KINDS)
    with pytest.raises(DataError, match="test, row 0: label is -1, a hidden label; fix"):
        describe_data({"hub": "pets"})


def test_names_of_classes_must_agree(hub: dict) -> None:
    other = datasets.ClassLabel(names=["dog", "cat"])
    hub["test"] = hub["test"].cast_column("label", other)
    with pytest.raises(DataError, match="test: names of labels are"):
        describe_data({"hub": "pets"})

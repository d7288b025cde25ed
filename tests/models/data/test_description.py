from collections.abc import Callable
from pathlib import Path

import pytest

from models.catalog import DataError, describe_data


def digest(**settings: object) -> str:
    return describe_data(settings).digest


def test_the_digest_changes_with_whatever_changes_what_a_trial_sees(folder: Path) -> None:
    variants = [
        digest(path=str(folder)),
        digest(path=str(folder), train_examples=9),
        digest(path=str(folder), train_examples=10),
        digest(path=str(folder), train_examples=10, split_seed=1),
        digest(path=str(folder), image_size=2),
        digest(name="digits"),
        digest(name="digits", split_seed=1),
        digest(name="digits", image_size=4),
    ]
    assert len(set(variants)) == len(variants)


def test_settings_that_change_nothing_leave_the_digest_alone(folder: Path) -> None:
    plain = digest(path=str(folder))
    assert plain == digest(path=str(folder), train_examples=30, image_size=4)
    # A folder brings its own splits; without a subset there is nothing for the seed to decide.
    assert plain == digest(path=str(folder), split_seed=7)


def test_the_digest_follows_the_content_not_the_place(
    folder: Path, write_split: Callable[..., Path]
) -> None:
    before = digest(path=str(folder))
    moved = folder.rename(folder.parent / "elsewhere")
    assert digest(path=str(moved)) == before
    write_split(moved / "test.parquet", 15)
    assert digest(path=str(moved)) != before


def test_a_validation_split_too_small_to_be_cut_into_parts_is_refused(
    folder: Path, write_split: Callable[..., Path]
) -> None:
    write_split(folder / "validation.parquet", 2)
    with pytest.raises(DataError, match="shapes: the validation split has 2 examples, but one"):
        describe_data({"path": str(folder)})


def test_a_description_says_what_is_left_after_pooling_and_selecting() -> None:
    description = describe_data({"name": "digits", "train_examples": 200, "image_size": 4})
    assert description.shape == (1, 4, 4)
    assert (description.train, description.validation, description.test) == (200, 297, 500)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["give one of name"]),
        ({"name": "digits", "hub": "mnist"}, ["name", "hub"]),
        ({"name": "digits", "size": 4}, ["unknown", "size"]),
        ({"name": "mnist"}, ["'mnist'", "digits", "path"]),
        ({"name": "digits", "image_size": 16}, ["16", "8x8", "at most 8"]),
        ({"name": "digits", "split_seed": 0.5}, ["split_seed", "0.5"]),
        ({"name": "digits", "train_examples": 1001}, ["1001", "1000"]),
        ({"name": "digits", "train_examples": 9}, ["train_examples", "10"]),
        ({"name": "digits", "split_seed": -1}, ["split_seed", "-1"]),
        ({"name": "digits", "train_examples": 50.0}, ["50.0", "whole"]),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        describe_data(settings)
    assert all(word in str(error.value) for word in words), error.value

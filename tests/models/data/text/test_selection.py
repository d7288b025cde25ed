import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from models.catalog import DataError, describe_data
from models.data.loading import load_data
from models.data.text.selection import load_text, select_text
from tests.support.text_folders import ROWS, WriteText

MANY = {"text": [f"text {i}" for i in range(40)], "label": [0] * 30 + [1] * 10}


@pytest.fixture
def many(tmp_path: Path, write_text: WriteText) -> Path:
    write_text(tmp_path / "many", "classification", "train", columns=MANY)
    for split in ("validation", "test"):
        write_text(tmp_path / "many", "classification", split)
    return tmp_path / "many"


def digest(kind: str, **settings: object) -> str:
    return describe_data(settings, kind).digest


# Sentences of a validation split that can be cut into parts.
THREE = {"tokens": [["one"], ["two"], ["three"]], "tags": [["O"], ["B-PER"], ["O"]]}


def test_a_validation_split_of_texts_too_small_to_be_cut_is_refused(
    tmp_path: Path, write_text: WriteText
) -> None:
    folder = write_text(tmp_path / "set", "entities")
    with pytest.raises(DataError, match=r"^set: the validation split has 2 examples.*at least 3"):
        describe_data({"path": str(folder)}, "entities")


def test_groups_that_decide_the_cut_are_part_of_the_digest(
    tmp_path: Path, write_text: WriteText
) -> None:
    folder = write_text(tmp_path / "set", "classification")
    for split in ("train", "validation", "test"):
        texts = [f"{split} {number}" for number in range(8)]
        columns = {"text": texts, "label": [0, 1] * 4, "source": list("aabbccdd")}
        write_text(folder, "classification", split, columns=columns)
    unused = describe_data({"path": str(folder), "text_column": "text"}, "classification")
    settings = {"path": str(folder), "text_column": "text", "group_column": "source"}
    used, data = describe_data(settings, "classification"), load_text(settings, "classification")
    assert unused.digest != used.digest
    assert data.validation.groups == tuple("aabbccdd")


def test_what_is_loaded_is_what_was_described(tmp_path: Path, write_text: WriteText) -> None:
    folder = write_text(tmp_path / "set", "entities")
    settings = {"path": str(write_text(folder, "entities", "validation", columns=THREE))}
    description, data = describe_data(settings, "entities"), load_data(settings, "entities")
    assert data.label_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER") == description.label_names
    assert data.train.labels == ((3, 0), (0, 1, 2))
    assert (data.kind, data.name, data.digest) == ("entities", "set", description.digest)
    assert (description.train, description.validation, description.test) == (2, 3, 2)
    assert len(description.digest) == 12 and int(description.digest, 16) >= 0


def test_a_subset_keeps_the_shares_of_the_classes_and_is_seeded(many: Path) -> None:
    def drawn(**settings: object) -> tuple:
        return load_text({"path": str(many), **settings}, "classification").train

    assert Counter(drawn(train_examples=8).labels) == {0: 6, 1: 2}
    assert drawn(train_examples=8) == drawn(train_examples=8, split_seed=0)
    assert drawn(train_examples=8) != drawn(train_examples=8, split_seed=1)
    assert set(drawn(train_examples=8).texts) < set(drawn().texts)


def test_a_subset_of_sentences_is_drawn_without_replacement(
    tmp_path: Path, write_text: WriteText
) -> None:
    columns = {"tokens": [[f"w{i}"] for i in range(20)], "tags": [["B-x"]] * 20}
    folder = write_text(tmp_path, "entities", columns=columns)
    settings = {"path": str(folder), "train_examples": 19}
    assert len(set(load_text(settings, "entities").train.texts)) == 19


def test_deduplication_comes_before_the_subset_and_is_counted(
    many: Path, write_text: WriteText
) -> None:
    columns = {**MANY, "text": ["Text 1 ", "good  TEST", *MANY["text"][2:39], "text 1"]}
    write_text(many, "classification", "train", columns=columns)
    settings = {"path": str(many)}
    all_of_it = select_text(settings, "classification")
    assert (all_of_it.repeated, all_of_it.leaked, len(all_of_it.splits.train)) == (1, 1, 40)
    description = describe_data({**settings, "deduplicate": True}, "classification")
    assert (description.train, description.repeated, description.leaked) == (38, 1, 1)
    settings |= {"deduplicate": True, "train_examples": 39}
    with pytest.raises(DataError, match=r"train_examples is 39, .* has 38"):
        load_text(settings, "classification")


def test_the_digest_follows_what_a_trial_sees(
    many: Path, tmp_path: Path, write_text: WriteText
) -> None:
    folder = str(many)
    plain = digest("classification", path=folder)
    seen = [
        plain,
        digest("classification", path=folder, train_examples=8),
        digest("classification", path=folder, train_examples=9),
        digest("classification", path=folder, train_examples=8, split_seed=1),
        digest("classification", targets={"sun": folder}),
        digest("classification", targets={"rain": folder}),
    ]
    assert len(set(seen)) == len(seen)
    same = {"train_examples": 40, "split_seed": 3, "deduplicate": True}  # nothing is repeated
    assert digest("classification", path=folder, **same) == plain
    assert digest("classification", path=str(many.rename(tmp_path / "moved"))) == plain
    names = {"label_names": '["up", "left"]'}
    for split in ("train", "validation", "test"):
        columns = MANY if split == "train" else {}
        write_text(tmp_path / "moved", "classification", split, columns=columns, metadata=names)
    assert digest("classification", path=str(tmp_path / "moved")) != plain


def test_training_needs_two_classes_and_an_entity(tmp_path: Path, write_text: WriteText) -> None:
    one = write_text(tmp_path / "one", "classification", "train", columns={"label": [1] * 4})
    for split in ("validation", "test"):
        write_text(one, "classification", split)
    with pytest.raises(DataError, match=r"one, train: every example is 'down'; .* two classes"):
        load_text({"path": str(one)}, "classification")
    tags = {"tags": [["O", "O"], ["O", "O", "O"]]}
    none = write_text(tmp_path / "none", "entities", columns=tags)
    with pytest.raises(DataError, match="every tag of every split is 'O'"):
        load_text({"path": str(none)}, "entities")
    same = write_text(tmp_path / "same", "dialogue", columns=ROWS["dialogue"])
    with pytest.raises(DataError, match="every training example is in validation or test"):
        load_text({"path": str(same), "deduplicate": True}, "dialogue")


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("dialogue", {}, ["give one of name, path, hub, targets"]),
        ("dialogue", {"name": "dialogue", "hub": "x"}, ["'name'", "'hub'"]),
        ("dialogue", {"name": "dialogue", "label_colum": "x"}, ["did you mean 'label_column'?"]),
        (
            "dialogue",
            {"name": "dialogue", "image_size": 4},
            ["image_size means nothing for dialogue", "remove it"],
        ),
        ("dialogue", {"name": "digits"}, ["'digits'", "'dialogue'"]),
        ("entities", {"name": "dialogue"}, ["for entities", "give a path"]),
        ("entities", {"targets": {"a": "b"}}, ["classification, not entities"]),
        ("dialogue", {"name": "dialogue", "deduplicate": 1}, ["deduplicate is 1", "true or false"]),
        ("dialogue", {"name": "dialogue", "train_examples": 0}, ["train_examples is 0"]),
        ("dialogue", {"name": "dialogue", "split_seed": -1}, ["split_seed is -1"]),
        ("speech", {"name": "dialogue"}, ["'speech'", "entities"]),
    ],
)
def test_settings_that_do_not_fit_are_named(kind: str, settings: dict, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        describe_data(settings, kind)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.slow
def test_describing_texts_starts_no_heavy_library(many: Path) -> None:
    code = (
        "import sys; from models.catalog import describe_data; "
        "heavy = {'torch', 'transformers', 'tokenizers', 'datasets'}; "
        "describe_data({'name': 'dialogue'}, 'dialogue'); print(heavy & set(sys.modules)); "
        f"describe_data({{'path': {str(many)!r}}}, 'classification'); "
        "print(heavy & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["set()", "{'datasets'}"]


def test_texts_that_another_set_is_evaluated_on_are_left_out_and_counted(
    many: Path, tmp_path: Path, write_text: WriteText
) -> None:
    other = write_text(tmp_path / "other", "classification")
    columns = {"text": ["TEXT  3", "text 39", "else", "text 39"], "label": [0, 1, 0, 1]}
    write_text(other, "classification", "test", columns=columns)
    settings = {"path": str(many), "without": [str(other)]}
    left = select_text(settings, "classification")
    assert left.removed == 2
    assert {("text 3",), ("text 39",)}.isdisjoint(left.splits.train.texts)
    assert len(left.splits.train) == 38
    everything = load_text({"path": str(many)}, "classification")
    assert left.splits.digest != everything.digest
    assert left.splits.validation == everything.validation
    assert describe_data(settings, "classification").removed == 2
    assert digest("classification", path=str(many), without=[]) == everything.digest


@pytest.mark.parametrize("without", ["folder", [3], {"a": "b"}])
def test_other_sets_are_given_as_a_list_of_folders(many: Path, without: object) -> None:
    with pytest.raises(DataError, match="give a list of folders"):
        load_text({"path": str(many), "without": without}, "classification")


def warned(settings: dict, kind: str = "classification") -> tuple[str, ...]:
    return describe_data(settings, kind).warnings


def test_repeated_and_leaked_examples_are_a_warning_until_they_are_dropped(
    many: Path, write_text: WriteText
) -> None:
    assert warned({"path": str(many)}) == ()
    columns = {**MANY, "text": ["Text 1 ", "good  TEST", *MANY["text"][2:39], "text 1"]}
    write_text(many, "classification", "train", columns={**columns, "label": [0] * 20 + [1] * 20})
    found = warned({"path": str(many)})
    assert "repeat another one: 1, that are also in validation or test: 1" in found[-1]
    assert "fix: deduplicate: true" in found[-1]
    assert not any("deduplicate" in each for each in warned({"path": str(many),
                                                             "deduplicate": True}))  # fmt: skip


def test_a_text_with_two_labels_is_a_warning(many: Path, write_text: WriteText) -> None:
    columns = {**MANY, "text": [*MANY["text"][:39], "Text  0"]}
    write_text(many, "classification", "train", columns=columns)
    (found,) = warned({"path": str(many), "deduplicate": True})
    assert "texts with more than one label: 1, e.g. 'text 0'; fix: correct their labels" in found


def test_entities_that_are_never_trained_are_a_warning(
    tmp_path: Path, write_text: WriteText
) -> None:
    folder = write_text(tmp_path / "set", "entities")
    write_text(folder, "entities", "validation", columns=THREE)
    write_text(folder, "entities", "test", columns={"tags": [["B-X", "O"], ["O", "B-Y", "O"]]})
    (found,) = warned({"path": str(folder)}, "entities")
    assert "set, test: no training example has entities of 'X', 'Y'; fix: give examples" in found


def test_a_subset_has_at_least_an_example_of_each_class(many: Path) -> None:
    with pytest.raises(DataError, match=r"train_examples is 1, .* of 2 classes"):
        load_text({"path": str(many), "train_examples": 1}, "classification")

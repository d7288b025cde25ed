"""Data to rank: grades, groups that no split cuts, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from models.data.description import TextDescription, describe_data
from models.data.loading import load_data
from models.data.sources import DataError
from models.data.text.relevance import whole_groups
from models.data.text.splits import TextSplits

Row = tuple[str, str, str, object]


def rows(users: int, items: int = 5) -> list[Row]:
    """Each user has one relevant item."""
    return [
        (f"u{user}", f"history of {user}", f"item {item} {user}", int(item == user % items))
        for user in range(users)
        for item in range(items)
    ]


def write(folder: Path, table: Sequence[Row], name: str = "log.csv") -> Path:
    lines = ["user,text,text_pair,label", *(",".join(map(str, row)) for row in table)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def load(path: Path, **settings: object) -> TextSplits:
    given = {"path": str(path), "group_column": "user", **settings}
    loaded = load_data(given, "ranking")
    assert isinstance(loaded, TextSplits)
    return loaded


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_cut_between_splits(tmp_path: Path, seed: int) -> None:
    found = load(write(tmp_path, rows(30)), split_seed=seed)
    groups = [set(each.groups) for each in (found.train, found.validation, found.test)]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 30
    assert all(groups) and found.label_names == ("0", "1")


def test_every_example_keeps_its_group_and_its_grade(tmp_path: Path) -> None:
    found = load(write(tmp_path, rows(20)))
    for each in (found.train, found.validation, found.test):
        for (history, item), label, group in zip(each.texts, each.labels, each.groups, strict=True):
            user = group.removeprefix("u")
            assert history == f"history of {user}" and item.endswith(f" {user}")
            assert label == (item.split()[1] == str(int(user) % 5))


def test_a_column_called_group_needs_no_setting(tmp_path: Path) -> None:
    path = write(tmp_path, rows(20))
    path.write_text(path.read_text().replace("user,", "group,", 1))
    loaded = load_data({"path": str(path)}, "ranking")
    assert isinstance(loaded, TextSplits) and len(set(loaded.train.groups)) == 12


def test_grades_are_ordered_as_numbers_and_truth_is_one(tmp_path: Path) -> None:
    graded = [(u, h, i, (0, 2, 10)[row % 3]) for row, (u, h, i, _) in enumerate(rows(30, 6))]
    assert load(write(tmp_path, graded, "a.csv")).label_names == ("0", "2", "10")
    said = [(u, h, i, ("False", "True")[int(bool(y))]) for u, h, i, y in rows(30)]
    found = load(write(tmp_path, said, "b.csv"))
    assert found.label_names == ("0", "1") and sum(found.train.labels) * 5 == len(found.train)


def test_grade_zero_is_the_first_class_also_where_no_item_has_it(tmp_path: Path) -> None:
    graded = [(u, h, i, 3 if y else 1) for u, h, i, y in rows(30)]
    found = load(write(tmp_path, graded))
    assert found.label_names == ("0", "1", "3") and set(found.train.labels) == {1, 2}


def test_fewer_training_examples_are_whole_groups(tmp_path: Path) -> None:
    found = load(write(tmp_path, rows(30)), train_examples=23)
    assert len(found.train) == 20  # four groups of five
    assert all(found.train.groups.count(group) == 5 for group in found.train.groups)


def test_a_group_that_is_larger_than_what_is_asked_for_is_taken_alone() -> None:
    assert whole_groups(["a", "a", "a"], 2, 0) == [0, 1, 2]


def test_groups_belong_to_the_digest_of_a_ranking(tmp_path: Path) -> None:
    table = rows(30)
    one = load(write(tmp_path, table, "a.csv"), splits={"validation": 0.2, "test": 0.2})
    regrouped = [(f"x{u}", h, i, y) for u, h, i, y in table]
    other = load(write(tmp_path, regrouped, "b.csv"), splits={"validation": 0.2, "test": 0.2})
    assert one.digest != other.digest


def test_users_may_differ_about_one_item(tmp_path: Path) -> None:
    """The same texts in two groups are neither repeats nor contradictions; in one they are."""
    table: list[Row] = [
        (f"u{user}", "the same history", f"item {item}", int(item == user % 5))
        for user in range(30)
        for item in range(5)
    ]
    found = describe_data({"path": str(write(tmp_path, table)), "group_column": "user"}, "ranking")
    assert isinstance(found, TextDescription)
    assert (found.repeated, found.leaked, found.warnings) == (0, 0, ())
    twice = [*table, *((f"u{user}", "the same history", "item 0", 1) for user in range(30))]
    path = write(tmp_path, twice, "twice.csv")
    said = describe_data({"path": str(path), "group_column": "user"}, "ranking").warnings
    assert any("texts with more than one label" in each for each in said)


def test_groups_without_a_relevant_item_are_counted(tmp_path: Path) -> None:
    empty = [(f"v{user}", "a history", f"thing {user} {item}", 0)
             for user in range(10) for item in range(5)]  # fmt: skip
    path = write(tmp_path, [*rows(30), *empty])
    loaded = load(path)
    without = [
        len({group for group in split.groups if group.startswith("v")})
        for split in (loaded.validation, loaded.test)
    ]
    warned = describe_data({"path": str(path), "group_column": "user"}, "ranking").warnings
    for split, count in zip(("validation", "test"), without, strict=True):
        said = [each for each in warned if f", {split}: groups without a relevant item" in each]
        assert bool(said) == bool(count)
        assert not count or f"{count} of" in said[0]
    assert sum(without) > 0


@pytest.mark.parametrize(
    ("table", "settings", "says"),
    [
        ([(u, h, i, ("no", "yes")[int(bool(y))]) for u, h, i, y in rows(9)], {}, "no grade of rel"),
        (rows(9), {"group_column": "person"}, "group_column is 'person'"),
        (rows(9), {"group_column": None}, "no column 'group' for ranking"),
        ([(u, h, i, 0) for u, h, i, _ in rows(9)], {}, "no group has a relevant item"),
        (rows(2), {}, "2 groups of user for 3 splits"),
        (rows(4), {"splits": {"validation": 0.25, "test": 0.25}}, "has 1 groups"),
        ([(u, h, i, -1 if y else 0) for u, h, i, y in rows(9)], {}, "'-1' is no grade"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    tmp_path: Path, table: list[Row], settings: dict[str, object], says: str
) -> None:
    given = {"path": str(write(tmp_path, table)), "group_column": "user", **settings}
    with pytest.raises(DataError, match=says):
        describe_data(given, "ranking")

from models.data.text.entity_tags import number_tags, tag_names
from models.data.text.splits import TextExamples


def sentence(*tags: str) -> TextExamples:
    return TextExamples((("w",) * len(tags),), (tags,))


def test_names_are_sorted_and_both_tags_of_a_type_are_there() -> None:
    assert tag_names(["loc", "art", "loc"]) == ("O", "B-art", "I-art", "B-loc", "I-loc")


def test_a_tag_absent_from_one_split_is_no_error() -> None:
    splits = {
        "train": sentence("B-per", "I-per", "O"),
        "validation": sentence("O", "O"),
        "test": sentence("B-a-b", "I-a-b"),  # a type may contain a hyphen
    }
    numbered, names = number_tags(splits)
    assert names == ("O", "B-a-b", "I-a-b", "B-per", "I-per")
    assert [numbered[split].labels for split in splits] == [((3, 4, 0),), ((0, 0),), ((1, 2),)]

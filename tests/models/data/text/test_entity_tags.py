from models.data.text.entity_tags import number_tags
from models.data.text.splits import TextExamples


def sentence(*tags: str) -> TextExamples:
    return TextExamples((("w",) * len(tags),), (tags,))


def test_names_are_sorted_and_both_tags_of_a_type_are_there_whatever_a_split_has() -> None:
    splits = {
        "train": sentence("B-per", "B-per", "O"),
        "validation": sentence("O", "O"),
        "test": sentence("B-a-b", "I-a-b"),  # a type may contain a hyphen
    }
    numbered, names = number_tags(splits)
    assert names == ("O", "B-a-b", "I-a-b", "B-per", "I-per")
    assert [numbered[split].labels for split in splits] == [((3, 3, 0),), ((0, 0),), ((1, 2),)]

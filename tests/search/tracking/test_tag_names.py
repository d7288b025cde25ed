"""Long texts are split over several tags."""

from __future__ import annotations

from search.tracking import tag_names


def test_a_text_longer_than_a_tag_is_split_and_joined_again() -> None:
    text = "".join(chr(33 + index % 90) for index in range(20_000))
    tags = tag_names.split_tags("name", text)
    assert max(len(piece) for piece in tags.values()) <= tag_names.PIECE
    assert tag_names.joined_tag("name", tags) == text
    assert tag_names.joined_tag("other", tags) is None

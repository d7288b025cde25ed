"""Trials are not mixed into a search whose task was another."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from search.review.fingerprint import refuse_changed


def test_a_search_of_texts_measured_on_the_whole_validation_split_is_not_resumed() -> None:
    before = SimpleNamespace(search="old", fingerprint={"data": {"digest": "a"}})
    now = {"data": {"digest": "a"}, "measured_on": "objective part"}
    with pytest.raises(
        ValueError, match=r"old were measured on the whole.*fix: start a new search"
    ):
        refuse_changed(before, now)  # type: ignore[arg-type]
    same = SimpleNamespace(search="new", fingerprint=now)
    refuse_changed(same, now)  # type: ignore[arg-type]

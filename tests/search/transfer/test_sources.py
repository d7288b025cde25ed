"""Trials by the name or the run that people give."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.tracking import tag_names
from search.transfer.sources import find_trial
from tests.support.stores import new_store


@pytest.mark.parametrize("number", ["seven", "", "-1", "9" * 5_000])
def test_a_run_whose_number_is_none_is_no_trial(tmp_path: Path, number: str) -> None:
    store = new_store(tmp_path)
    tags = {tag_names.SEARCH: store.search, tag_names.NUMBER: number}
    run = store.client.create_run(store.experiment, tags=tags)
    with pytest.raises(LookupError, match="is not a trial of a search; fix: "):
        find_trial(store.uri, run.info.run_id)

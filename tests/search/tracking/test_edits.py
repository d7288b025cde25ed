"""Notes on a search, its name, and its deletion: nothing else is changed or lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.tracking import tag_names
from search.tracking.edits import (
    add_note,
    delete_runs,
    delete_storage,
    own_storage,
    rename_search,
)
from search.tracking.read.history import load_history
from search.tracking.summary import Summary, find_summary, note_of, publish_files
from tests.support.stores import Store, new_store


def summary_of(store: Store, name: str = "demo-1") -> Summary:
    return find_summary(store.client, name)


def description(store: Store) -> str:
    return str(store.client.get_run(store.summary_run).data.tags[tag_names.NOTE])


def test_notes_and_verdicts_leave_each_other_alone(store: Store, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    publish_files(store.client, store.summary_run, report, "History saved 3 trials.", {})
    assert add_note(store.client, summary_of(store), " Wrong split. ") == "Wrong split."
    assert description(store) == "History saved 3 trials.\n\nWrong split."
    assert add_note(store.client, summary_of(store), "Do *not* use.").count("\n\n") == 1
    publish_files(store.client, store.summary_run, report, "History saved 4 trials.", {})
    notes = "Wrong split.\n\nDo *not* use."
    assert description(store) == f"History saved 4 trials.\n\n{notes}"
    assert note_of(summary_of(store).tags) == notes
    assert add_note(store.client, summary_of(store), "", replaces=True) == ""
    assert description(store) == "History saved 4 trials."


def test_what_somebody_wrote_in_the_page_is_kept_too(store: Store, tmp_path: Path) -> None:
    store.client.set_tag(store.summary_run, tag_names.NOTE, "written in the page")
    (tmp_path / "report").mkdir()
    publish_files(store.client, store.summary_run, tmp_path / "report", "No cold search.", {})
    assert description(store) == "No cold search.\n\nwritten in the page"


def test_a_note_is_refused_that_is_empty_or_does_not_fit_a_tag(store: Store) -> None:
    with pytest.raises(ValueError, match="the note is empty; fix"):
        add_note(store.client, summary_of(store), " \n")
    with pytest.raises(ValueError, match=r"4501 characters.*fix: shorten"):
        add_note(store.client, summary_of(store), "x" * (tag_names.PIECE + 1))


def test_a_renamed_search_is_found_by_its_id_and_its_name(store: Store) -> None:
    rename_search(store.client, summary_of(store), "without augmentation")
    for name in ("demo-1", "demo", "without augmentation", "without"):
        found = summary_of(store, name)
        assert (found.search, found.name) == ("demo-1", "without augmentation")
    run = store.client.get_run(store.summary_run)
    assert run.info.run_name == "search without augmentation"
    assert run.data.tags[tag_names.SEARCH] == "demo-1"
    rename_search(store.client, summary_of(store), "demo-1")
    assert summary_of(store).name == "demo-1"


@pytest.mark.parametrize("name", ["", "  ", "a#1", "a/b", "a\nb", "x" * 81])
def test_a_name_that_could_not_be_typed_or_shown_is_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a search; fix"):
        rename_search(store.client, summary_of(store), name)


def test_two_searches_never_share_a_name(store: Store, tmp_path: Path) -> None:
    new_store(tmp_path, "other-1")
    for taken in ("other-1", "first"):
        rename_search(store.client, summary_of(store, "other-1"), "first")
        with pytest.raises(ValueError, match="is the search other-1 already"):
            rename_search(store.client, summary_of(store), taken)


def test_an_unknown_search_is_answered_with_the_one_that_begins_most_alike(store: Store) -> None:
    with pytest.raises(LookupError, match=r"no search is called 'demp-1'\. Did you mean demo-1\?"):
        summary_of(store, "demp-1")


@pytest.mark.slow
def test_history_no_longer_has_a_deleted_search_and_its_runs_can_be_restored(
    store: Store, tmp_path: Path
) -> None:
    for number in (0, 1):
        store.trial(number)
    store.writer().drain()
    other = new_store(tmp_path, "other-1")
    other.trial(0)
    other.writer().drain()
    assert len(load_history(store.uri)) == 3
    assert delete_runs(store.client, summary_of(store)) == 3
    history = load_history(store.uri)
    assert list(history.searches) == ["other-1"] and len(history) == 1
    assert {row.reason for row in history.rejected} == {
        "deleted in MLflow; restore it there to learn from it"
    }
    store.client.restore_run(store.summary_run)
    assert find_summary(store.client, "demo-1").run_id == store.summary_run


def test_files_are_deleted_that_the_search_made_and_what_a_link_leads_to_stays(
    store: Store, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    (store.folder / "generation-1").touch()
    (store.folder / "link").symlink_to(outside)
    folder = own_storage(summary_of(store))
    assert folder == store.folder
    delete_storage(folder)
    assert not store.folder.exists() and (outside / "kept.txt").read_text() == "kept"
    assert own_storage(summary_of(store)) is None


def test_a_folder_that_the_search_did_not_make_is_never_deleted(
    store: Store, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    for other in (home, home / "demo-1"):
        other.mkdir()
    (tmp_path / "linked" / "x").mkdir(parents=True)
    (store.folder / "generation-1").touch()
    (tmp_path / "linked" / "demo-1").symlink_to(store.folder)
    for named in (home, home / "demo-1", tmp_path / "linked" / "demo-1"):
        store.client.set_tag(store.summary_run, tag_names.STORAGE, str(named))
        with pytest.raises(ValueError, match="is not a folder that demo-1 made; fix"):
            own_storage(summary_of(store))
    store.client.set_tag(store.summary_run, tag_names.STORAGE, "demo-1")
    assert own_storage(summary_of(store)) is None  # a relative path means nothing here

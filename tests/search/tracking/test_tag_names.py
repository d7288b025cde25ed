"""Long texts are split over several tags."""

from __future__ import annotations

from search.tracking import tag_names


def test_a_text_longer_than_a_tag_is_split_and_joined_again() -> None:
    text = "".join(chr(33 + index % 90) for index in range(20_000))
    tags = tag_names.split_tags("name", text)
    assert max(len(piece) for piece in tags.values()) <= tag_names.PIECE
    assert tag_names.joined_tag("name", tags) == text
    assert tag_names.joined_tag("other", tags) is None


def test_an_objective_is_named_by_its_role_and_in_full_where_two_share_one() -> None:
    robust = "accuracy.pgd10_linf_0.1"
    assert tag_names.objective_names(["accuracy.clean", robust]) == {
        "accuracy.clean": "objective/accuracy.clean",
        robust: "objective/accuracy.robust",
    }
    other = "accuracy.pgd20_linf_0.1"
    assert tag_names.objective_names([robust, other]) == {
        robust: f"objective/{robust}",
        other: f"objective/{other}",
    }


def test_a_run_name_says_how_a_trial_ended_unless_it_is_complete() -> None:
    assert tag_names.trial_name("s-1", 4) == "004 s-1"
    assert tag_names.trial_name("s-1", 4, "complete", 9) == "004 s-1"
    assert tag_names.trial_name("s-1", 4, "stopped", 3) == "004 stopped (epoch 3) s-1"


def test_stopped_and_failed_trials_have_colours_of_no_search() -> None:
    colors = {tag_names.color("s-1", state) for state in ("", "complete", "stopped", "failed")}
    assert len(colors) == 3
    assert not set(tag_names.COLORS) & set(tag_names.COLORS_OF_STATES.values())

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.adversarial.text.character_edits import NEIGHBOURS, character_edits

WORDS = st.text(st.characters(categories=("L",)), min_size=1, max_size=12)


def edits(word: str, seed: int = 0) -> tuple[str, ...]:
    return character_edits(word, np.random.default_rng(seed))


def test_neighbouring_keys_are_those_that_touch() -> None:
    assert set(NEIGHBOURS["s"]) == set("awedzx")
    assert set(NEIGHBOURS["q"]) == set("wa")
    assert set(NEIGHBOURS["m"]) == set("njk")
    assert all(a in NEIGHBOURS[b] for a, others in NEIGHBOURS.items() for b in others)


def test_the_four_transformations_of_a_word_that_leaves_no_choice_of_letters() -> None:
    # Of "aqqq" only the q may move: no two neighbours differ, so there is no swap.
    for seed in range(20):
        found = edits("aqqq", seed)
        assert len(found) == 3
        deleted, inserted, substituted = found
        assert deleted == "aqq"
        assert inserted in {"a" + rest for near in "wa" for rest in (
            f"q{near}qq", f"qq{near}q", f"qqq{near}")}  # fmt: skip
        assert substituted in {"a" + rest for near in "wa" for rest in (
            f"{near}qq", f"q{near}q", f"qq{near}")}  # fmt: skip


def test_a_swap_is_of_two_neighbours_behind_the_first_letter() -> None:
    swaps = {edits("film", seed)[0] for seed in range(40)}
    assert swaps == {"flim", "fiml"}


@given(WORDS, st.integers(0, 2**32))
def test_the_first_letter_stays_and_every_candidate_is_one_edit_away(word: str, seed: int) -> None:
    found = edits(word, seed)
    assert len(found) == len(set(found)) and word not in found
    if len(word) < 4:
        assert found == ()
    for candidate in found:
        assert candidate[0] == word[0]
        assert abs(len(candidate) - len(word)) <= 1
        if len(candidate) == len(word):
            different = [i for i in range(len(word)) if candidate[i] != word[i]]
            assert len(different) in (1, 2)
            assert len(different) == 1 or sorted(candidate) == sorted(word)


def test_the_case_of_a_letter_is_kept() -> None:
    for seed in range(20):
        assert all(candidate.isupper() for candidate in edits("GREAT", seed))
        assert all(candidate[1:].islower() for candidate in edits("Great", seed))


def test_other_scripts_are_swapped_and_deleted_alone() -> None:
    assert all(len(edits("фильм", seed)) == 2 for seed in range(10))


@pytest.mark.parametrize("word", ["rock'n'roll", "well-made"])
def test_apostrophes_and_hyphens_stay(word: str) -> None:
    signs = [c for c in word if not c.isalpha()]
    for seed in range(20):
        for candidate in edits(word, seed):
            assert [c for c in candidate if not c.isalpha()] == signs


def test_the_same_seed_gives_the_same_typos_and_another_seed_others() -> None:
    assert edits("wonderful", 3) == edits("wonderful", 3)
    assert len({edits("wonderful", seed) for seed in range(20)}) > 10

"""Explanations in the report: the files of the best trials, copied and linked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.explanations.text_page import text_page
from search.report.explanations import TRIALS_SHOWN, copy_explanations, explanations_section


def trial(number: int) -> Any:
    return SimpleNamespace(number=number, run_id=f"run{number}")


def made(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return [folder / name for name in names]


def test_the_files_of_explained_trials_are_copied_under_the_trials_number(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    stale = report / "trial_001_explanation_wrong.png"
    stale.write_text("of an earlier report")
    files = {"run7": made(tmp_path / "a", "explanation_right.png", "explanation_texts.html")}
    copied = copy_explanations([trial(3), trial(7)], files, report)
    names = ["trial_007_explanation_right.png", "trial_007_explanation_texts.html"]
    assert copied == {7: names} and not stale.exists()
    assert (report / names[0]).read_text() == "explanation_right.png"
    section = explanations_section(copied)
    assert "### Trial 7" in section
    assert f"![trial_007_explanation_right]({names[0]})" in section
    assert f"\n[trial_007_explanation_texts]({names[1]})" in section


def test_right_examples_come_before_wrong_and_attacked_ones(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    names = [f"explanation_{group}.png" for group in ("attacked", "right", "wrong")]
    copied = copy_explanations([trial(0)], {"run0": made(tmp_path, *names)}, tmp_path / "report")
    groups = [name.removesuffix(".png").rpartition("_")[2] for name in copied[0]]
    assert groups == ["right", "wrong", "attacked"]


def test_no_more_than_the_first_of_the_best_are_shown(tmp_path: Path) -> None:
    best = [trial(number) for number in range(TRIALS_SHOWN + 2)]
    files = {each.run_id: made(tmp_path / each.run_id, "explanation_right.png") for each in best}
    report = tmp_path / "report"
    report.mkdir()
    assert list(copy_explanations(best, files, report)) == [0, 1, 2]


def test_a_report_without_explanations_has_no_section(tmp_path: Path) -> None:
    assert explanations_section(copy_explanations([trial(0)], {}, tmp_path)) == ""


def page(*words: tuple[str, float]) -> str:
    reading = SimpleNamespace(words=words, explained="good <b>")
    text = SimpleNamespace(group="right", example=3, truth="bad", readings=[reading], attacked=None)
    return text_page([text], "a search's texts & more")  # type: ignore[list-item]


def test_our_page_of_texts_is_copied_whatever_the_words_are(tmp_path: Path) -> None:
    file = tmp_path / "explanation_texts.html"
    file.write_text(page(("<script>", 0.5), ("</p>&amp;", -1e-9), ("nothing", float("nan"))))
    (tmp_path / "report").mkdir()
    assert copy_explanations([trial(0)], {"run0": [file]}, tmp_path / "report")


@pytest.mark.parametrize(
    "addition",
    ["<script>alert(1)</script>", '<p onclick="x">', "<img src=x>", "<sc<p>ript>", "<!-- x -->",
     "<style>@import 'x'</style>", "<style>p{background:url(x)}</style>", "<"],
)  # fmt: skip
def test_a_page_that_could_do_more_than_show_words_stays_in_the_store(
    tmp_path: Path, addition: str
) -> None:
    file = tmp_path / "explanation_texts.html"
    file.write_text(page(("word", 1.0)).replace("</body>", addition + "</body>"))
    (tmp_path / "report").mkdir()
    assert copy_explanations([trial(0)], {"run0": [file]}, tmp_path / "report") == {}

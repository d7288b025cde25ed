"""Robustness in the report: read from the runs of the best trials, and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.report.robustness_plot import draw_robustness
from search.report.robustness_section import robustness_section
from search.report.robustness_values import (
    ConfirmedTrial,
    EvaluatedTrial,
    confirmed_trials,
    evaluated_trials,
)
from search.transfer.best import best_trials
from search.transfer.examples import ValidationExamples
from tests.support.plots import png_of
from tests.support.synthetic_history import CLEAN, ROBUST, history, points, row, search

KNOWN = ValidationExamples(clean=149, attacked=140, confirmed=128)
WORST = "accuracy.worst_linf_0.1"
WARNING = {"name": "masked | gradients", "raised_when": "they vanish", "meaning": "no attack works",
           "remedy": "look at them", "measured": "0.3"}  # fmt: skip


def count(attack: str, correct: int, examples: int = 100, epsilon: float = 0.1) -> dict[str, Any]:
    metric = {"clean": CLEAN, "pgd": ROBUST}.get(attack, f"accuracy.{attack}_linf_0.1")
    return {"attack": attack, "metric": metric, "epsilon": epsilon, "examples": examples,
            "correct": correct, "seconds": 1.0}  # fmt: skip


def document(**changes: Any) -> str:
    tested = zip(("clean", "fgsm", "pgd", "autoattack", "worst"), (90, 70, 60, 55, 50), strict=True)
    made = {
        "threat": {"epsilon": 0.1},
        "test": [count(*each) for each in tested],
        "curve": [count("clean", 90, epsilon=0.0), count("pgd", 60), count("pgd", 5, epsilon=0.4)],
        "warnings": [],
    }  # fmt: skip
    return json.dumps(made | changes)


def evaluated(text: str) -> list[EvaluatedTrial]:
    known = history([row(3, [0.9, 0.5], run_id="run-3")], [search()])
    return evaluated_trials(
        best_trials(known, "cold"), {"run-3": {"robustness.json": text}}
    )  # fmt: skip


def confirmed(reason: str = "", **curves: float) -> list[ConfirmedTrial]:
    more = [each for name, value in curves.items() for each in points(name, {5: value})]
    rows = [row(3, [0.9, 0.5], curves=more), row(4, [0.1, 0.1])]
    if reason:
        rows[0] |= {"state": "failed", "values": [], "reason": reason}
    known = history(rows, [search()])
    return confirmed_trials(known.prior_trials(state=None), best_trials(known, "cold"))


def replaced() -> list[ConfirmedTrial]:
    return confirmed(**{
        CLEAN: 0.9, ROBUST: 0.4, f"unconfirmed.{ROBUST}": 0.6, WORST: 0.38, "robustness.gap": 0.2,
        "robustness.replaced": 1.0,
    })  # fmt: skip


def test_an_evaluation_without_a_test_result_is_shown_without_one() -> None:
    assert "| 3 | 0 |" in robustness_section(evaluated(document(test=[])), [], KNOWN)


def test_every_attack_is_shown_with_its_interval() -> None:
    text = robustness_section(evaluated(document()), [], KNOWN)
    # Wilson's interval of 55 of 100, by hand from the formula with z = 1.96.
    assert "0.550 (0.452 to 0.644)" in text
    (header,) = [line for line in text.splitlines() if line.startswith("| trial | clean")]
    assert header == "| trial | clean | FGSM | PGD | AutoAttack | worst case | images |"


def test_a_confirmed_trial_shows_both_accuracies() -> None:
    (each,) = replaced()
    assert (each.cheap, each.stronger, each.gap, each.kept) == (0.6, 0.38, 0.2, 0.4)
    assert each.is_replaced and each.is_best and each.number == 3
    text = robustness_section([], [each], KNOWN)
    assert "| PGD, all 140 images | PGD, 128 images | with APGD-T and Square, 128 images |" in text
    assert "| 3 (best) | 0.600 | 0.580 | 0.380 | 0.200 | **0.400, replaced** |" in text
    for part in ("Raised when:", "What it means:", "What to do:", "0.6000 and is now 0.4000"):
        assert part in text


def test_an_accuracy_that_was_not_replaced_is_the_cheap_one() -> None:
    (each,) = confirmed(**{ROBUST: 0.5, WORST: 0.49, "robustness.gap": 0.01})
    assert (each.cheap, each.kept, each.is_replaced) == (0.5, 0.5, False)


def test_a_confirmation_by_an_earlier_version_is_shown_as_it_was_logged() -> None:
    """It had APGD-T alone, and a cheaper accuracy on the same split."""
    (each,) = confirmed(**{
        ROBUST: 0.4, f"unconfirmed.{ROBUST}": 0.6, "accuracy.apgdt_linf_0.1": 0.38,
        "accuracy.pgd3_linf_0.1": 0.7, "robustness.gap": 0.2, "robustness.replaced": 1.0,
    })  # fmt: skip
    assert (each.cheap, each.stronger, each.gap, each.kept) == (0.6, 0.38, 0.2, 0.4)
    text = robustness_section([], [each], KNOWN)
    assert "| with APGD-T, 128 images |" in text and "Square" not in text.split("###")[1]


def test_a_trial_that_does_not_count_is_in_the_table_and_says_so(tmp_path: Path) -> None:
    masked = {ROBUST: 0.95, WORST: 0.94, "robustness.gap": 0.01, "robustness.vanished": 0.99}
    (each,) = confirmed("the robust accuracy is in doubt, and ...", **masked)
    assert each.is_excluded and not each.is_best
    text = robustness_section([], [each], KNOWN)
    assert "**none: 0.950 is in doubt**" in text and "gradients vanish" in text


def test_warnings_have_three_parts_and_cannot_break_the_page() -> None:
    text = robustness_section(evaluated(document(warnings=[WARNING])), [], KNOWN)
    assert "Trial 3: masked &#124; gradients" in text
    for part in ("they vanish", "no attack works", "look at them", "0.3"):
        assert part in text
    assert "No check for gradient masking raised a warning." in robustness_section(
        evaluated(document()), [], KNOWN
    )


def test_a_warning_that_several_trials_have_is_written_once() -> None:
    """As collapsed trials have, which all answer one class."""
    each = evaluated(document(warnings=[WARNING, WARNING | {"measured": "0.4"}]))[0]
    other = replace(each, number=5, warnings=each.warnings[:1])
    text = robustness_section([each, other, each], [], KNOWN)
    assert "**Trials 3, 5: masked &#124; gradients** (0.3)" in text
    assert "**Trial 3: masked &#124; gradients** (0.4)" in text
    assert text.count("no attack works") == 2


def test_without_autoattack_it_says_so() -> None:
    tested = [count("clean", 90), count("pgd", 60)]
    assert "AutoAttack did not run" in robustness_section(
        evaluated(document(test=tested)), [], KNOWN
    )
    assert "did not run" not in robustness_section(evaluated(document()), [], KNOWN)


def test_a_search_without_evaluations_has_no_section() -> None:
    assert robustness_section([], [], KNOWN) == ""


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", document(test=[count("pgd", 11, 10)]), document(test=[{}]),
     document(curve=[count("pgd", 0, 0)]), document(threat=None), document(warnings=[{}]),
     document(threat={"epsilon": 10**400}), "[" * 100_000],
)  # fmt: skip
def test_a_damaged_evaluation_is_none(text: str) -> None:
    assert evaluated(text) == []


@pytest.mark.slow
def test_a_plot_is_the_same_for_the_same_values(tmp_path: Path) -> None:
    first, second = (
        png_of(draw_robustness(evaluated(document()), replaced(), "cold"), tmp_path)
        for _ in range(2)
    )
    assert first == second and first[:4] == b"\x89PNG"


def test_what_is_there_is_drawn(tmp_path: Path) -> None:
    assert png_of(draw_robustness([], replaced(), "cold"), tmp_path)
    assert png_of(draw_robustness(evaluated(document()), [], "cold"), tmp_path)
    assert draw_robustness([], [], "cold") is None

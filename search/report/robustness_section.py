"""The report's section on robustness: what each of the best withstands, and whether to believe it.

Figures are upper bounds: no attack need find the worst case. Not for measuring (models/).
"""

from __future__ import annotations

from collections.abc import Sequence

from models.adversarial.checks.warning import GradientMaskingWarning
from search.report.robustness_values import ConfirmedTrial, Count, EvaluatedTrial
from search.report.tables import escape, table
from search.transfer.best import wilson_interval

PICTURE = "robustness.png"
_COLUMNS = {
    "clean": "clean",
    "fgsm": "FGSM",
    "pgd": "PGD",
    "apgdt": "APGD-T",
    "autoattack": "AutoAttack",
    "worst": "worst case",
}


def robustness_section(
    judged: Sequence[EvaluatedTrial],
    confirmed: Sequence[ConfirmedTrial],
    *,
    has_picture: bool = False,
) -> str:
    """Markdown, or nothing if no trial was judged or confirmed."""
    parts = [*_tested(judged), *_held(judged), *_side_by_side(judged, confirmed)]
    if not parts:
        return ""
    intro = (
        "Accuracies under attack are upper bounds of the true ones. In brackets: 95 % intervals "
        "(Wilson). The images of the test split have chosen nothing."
    )
    picture = [f"![Accuracy against epsilon]({PICTURE})"] if has_picture else []
    warnings = _warnings(judged, confirmed)
    return "\n\n".join(["\n## Robustness", intro, *picture, *parts, *warnings]) + "\n"


def _tested(judged: Sequence[EvaluatedTrial]) -> list[str]:
    if not judged:
        return []
    shown = [name for name in _COLUMNS if any(_find(each.test, name) for each in judged)]
    rows = [
        [f"{each.number}", *(_cell(_find(each.test, name)) for name in shown),
         f"{each.test[0].examples}"]
        for each in judged
    ]  # fmt: skip
    head = ["trial", *(_COLUMNS[name] for name in shown), "images"]
    missing = "" if "autoattack" in shown else (
        "\n\nAutoAttack did not run: install the extra `autoattack` and call `twentieth attack`."
    )  # fmt: skip
    return ["### On the test split", table(head, rows) + missing]


def _held(judged: Sequence[EvaluatedTrial]) -> list[str]:
    """B minus C: by how much the part that the search steers by flatters what it found."""
    rows = []
    for each in judged:
        for count in each.confirmation:
            if count.metric in each.values:
                value = each.values[count.metric]
                difference = f"{value - count.share:+.3f}"
                rows.append([f"{each.number}", f"`{escape(count.metric)}`", f"{value:.3f}",
                             _cell(count), f"{count.examples}", difference])  # fmt: skip
    if not rows:
        return []
    note = (
        "The search chose by part B of the validation split; part C it never saw. What is better "
        "on B than on C is the winner's curse, or chance: compare with C's interval."
    )
    head = ["trial", "objective", "part B", "part C", "images in C", "B minus C"]
    return ["### Part B against part C", note, table(head, rows)]


def _side_by_side(
    judged: Sequence[EvaluatedTrial], confirmed: Sequence[ConfirmedTrial]
) -> list[str]:
    if not confirmed:
        return []
    rows = [
        [f"{each.number}{' (best)' if each.is_best else ''}", f"{each.cheap:.3f}",
         f"{each.before:.3f}", f"{each.stronger:.3f}", f"{each.gap:.3f}",
         f"**{each.kept:.3f}, replaced**" if each.is_replaced else f"{each.kept:.3f}"]
        for each in confirmed
    ]  # fmt: skip
    some = f"at most {judged[0].confirm_examples}" if judged else "some"
    note = (
        f"Trials that were among the best when they ended, and a random tenth, also met targeted "
        f"APGD on {some} images of part B. The gap is what only that broke of them; above two "
        "standard errors it replaces the figure."
    )
    head = ["trial", "PGD, part B", "PGD, those images", "with APGD-T", "gap", "figure that counts"]
    return ["### Cheap and confirmed figures", note, table(head, rows)]


def _warnings(judged: Sequence[EvaluatedTrial], confirmed: Sequence[ConfirmedTrial]) -> list[str]:
    told = [_three_parts(each.number, warning) for each in judged for warning in each.warnings]
    told += [
        _three_parts(
            each.number,
            GradientMaskingWarning(
                name="the robust figure was replaced",
                raised_when="the gap is above two standard errors",
                meaning="the search's own attack overstates this model; its gradients may be "
                "masked",
                remedy="trust the smaller figure, and attack it with `twentieth attack`",
                measured=f"{each.cheap:.3f} became {each.kept:.3f}",
            ),
        )
        for each in confirmed
        if each.is_replaced
    ]
    none = "None of the checks against false security raised a warning." if judged else ""
    return ["### Warnings", "\n".join(told) or none] if told or none else []


def _three_parts(trial: int, warning: GradientMaskingWarning) -> str:
    return (
        f"- **Trial {trial}: {escape(warning.name)}** ({escape(warning.measured)})\n"
        f"  - Raised when: {escape(warning.raised_when)}\n"
        f"  - What it means: {escape(warning.meaning)}\n"
        f"  - What to do: {escape(warning.remedy)}"
    )


def _find(counts: Sequence[Count], attack: str) -> Count | None:
    return next((each for each in counts if each.attack == attack), None)


def _cell(count: Count | None) -> str:
    if count is None:
        return "-"
    low, high = wilson_interval(count.share, count.examples)
    return f"{count.share:.3f} ({low:.3f} to {high:.3f})"

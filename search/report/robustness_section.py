"""The report's section on robustness: the robust accuracy of the best trials, and its reliability.

Accuracies under attack are upper bounds: no attack need find the worst case. Not for measuring
(models/).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from models.adversarial.checks.warning import GradientMaskingWarning
from search.report.robustness_values import ConfirmedTrial, Count, EvaluatedTrial
from search.report.tables import escape, table
from search.transfer.best import interval_text
from search.transfer.examples import ValidationExamples

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
    evaluated: Sequence[EvaluatedTrial],
    confirmed: Sequence[ConfirmedTrial],
    examples: ValidationExamples,
    *,
    has_picture: bool = False,
) -> str:
    """Markdown without a heading, or "" if no trial was evaluated or confirmed."""
    parts = [*_tested(evaluated), *_confirmations(confirmed, examples)]
    if not parts:
        return ""
    intro = (
        "Accuracies under attack are upper bounds of the true ones. The intervals are Wilson's, at "
        "95 %. The test images took no part in any choice."
    )
    picture = [f"![Accuracy against epsilon]({PICTURE})"] if has_picture else []
    warnings = _warnings(evaluated, confirmed)
    return "\n\n".join([intro, *picture, *parts, *warnings])


def _tested(evaluated: Sequence[EvaluatedTrial]) -> list[str]:
    if not evaluated:
        return []
    shown = [name for name in _COLUMNS if any(_find(each.test, name) for each in evaluated)]
    rows = [
        [f"{each.number}", *(_cell(_find(each.test, name)) for name in shown),
         f"{max((count.examples for count in each.test), default=0)}"]
        for each in evaluated
    ]  # fmt: skip
    head = ["trial", *(_COLUMNS[name] for name in shown), "images"]
    parts = ["### On the test split", table(head, rows)]
    if "autoattack" not in shown:
        parts.append(
            "AutoAttack did not run: it was switched off (`robustness.final_examples: 0`), failed, "
            "the extra `autoattack` is not installed, or each model answers one class, which no "
            "attack changes; fix: run `twentieth attack SEARCH#TRIAL`."
        )
    return parts


def _confirmations(confirmed: Sequence[ConfirmedTrial], examples: ValidationExamples) -> list[str]:
    if not confirmed:
        return []
    rows = [
        [f"{each.number}{' (best)' if each.is_best else ''}", f"{each.cheap:.3f}",
         f"{each.before:.3f}", f"{each.stronger:.3f}", f"{each.gap:.3f}", _counts(each)]
        for each in confirmed
    ]  # fmt: skip
    some = _number(examples.confirmed) or "some"
    attacks = max((each.attacks for each in confirmed), key=len)
    note = (
        f"Trials that were among the best when they ended, and a random tenth of all trials, were "
        f"also attacked by {attacks} on {some} images of the objective part. The gap is the share "
        f"of these images that only these attacks misclassified; if it exceeds two standard "
        f"errors, it is subtracted from the PGD accuracy. A trial that masks its gradients does "
        f"not count, unless the spec says `robustness: {{doubtful: keep}}`."
    )
    every = f"PGD, all {_number(examples.attacked)}".strip()
    stronger = f"with {attacks}, {some} images"
    head = ["trial", f"{every} images", f"PGD, {some} images", stronger, "gap",
            "accuracy that counts"]  # fmt: skip
    return ["### Cheap and confirmed accuracies", note, table(head, rows)]


def _counts(trial: ConfirmedTrial) -> str:
    """The robust accuracy that counts, or that none does."""
    if trial.is_excluded:
        return f"**none: {trial.kept:.3f} is in doubt**"
    return f"**{trial.kept:.3f}, replaced**" if trial.is_replaced else f"{trial.kept:.3f}"


def _warnings(
    evaluated: Sequence[EvaluatedTrial], confirmed: Sequence[ConfirmedTrial]
) -> list[str]:
    found = [(each.number, each.warnings) for each in evaluated]
    found += [(each.number, each.warnings) for each in confirmed]
    trials: dict[GradientMaskingWarning, dict[int, None]] = {}  # collapsed trials have the same one
    for number, warnings in found:
        for warning in warnings:
            trials.setdefault(warning, {})[number] = None
    texts = [_three_parts(numbers, warning) for warning, numbers in trials.items()]
    if evaluated and not texts:
        texts = ["No check for gradient masking raised a warning."]
    return ["### Warnings", "\n".join(texts)] if texts else []


def _three_parts(trials: Collection[int], warning: GradientMaskingWarning) -> str:
    which = f"Trial{'s' * (len(trials) > 1)} {', '.join(map(str, trials))}"
    return (
        f"- **{which}: {escape(warning.name)}** ({escape(warning.measured)})\n"
        f"  - Raised when: {escape(warning.raised_when)}\n"
        f"  - What it means: {escape(warning.meaning)}\n"
        f"  - What to do: {escape(warning.remedy)}"
    )


def _number(count: int | None) -> str:
    return "" if count is None else str(count)


def _find(counts: Sequence[Count], attack: str) -> Count | None:
    return next((each for each in counts if each.attack == attack), None)


def _cell(count: Count | None) -> str:
    if count is None:
        return "-"
    return f"{count.share:.3f} ({interval_text(count.share, count.examples)})"

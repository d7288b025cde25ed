"""The first rung of a spec: a number that it states, or that history says."""

from __future__ import annotations

from typing import Any

from search.history import Trial
from search.optimize.compared import compared_metrics, with_first_rung
from search.spec import Spec, spec_from_yaml
from tests.support.spec_documents import GOOD, changed

CLEAN = {"metric": "accuracy.clean", "direction": "maximize"}
EPOCHS = 15


def digits(scheduler: dict[str, Any], epochs: int = EPOCHS) -> Spec:
    document = changed("objectives", [CLEAN], GOOD)
    return spec_from_yaml(
        changed("budget/epochs", epochs, changed("scheduler", scheduler, document))
    )


def past(spec: Spec, crossing: int, count: int = 20) -> list[Trial]:
    """Trials of the task whose curves are in the opposite order before an epoch."""
    return [
        Trial(
            state="complete", configuration={"width": number}, values=(number / 100,),
            objectives=spec.objectives, epoch=EPOCHS, task="own", search="past", number=number,
            curves={"selection.accuracy.clean": {
                epoch: (number if epoch >= crossing else -number) / 100
                for epoch in range(1, EPOCHS + 1)
            }},
        )
        for number in range(count)
    ]  # fmt: skip


def test_a_rung_that_is_not_stated_comes_from_past_curves_and_is_pinned() -> None:
    spec = digits({"name": "asha"})
    pinned, said = with_first_rung(spec, past(spec, 7), "own", {})
    assert pinned.scheduler.grace_epochs == 7
    assert said.startswith("the first rung is at epoch 7 of 15: from there on 20 past curves")
    assert spec_from_yaml(pinned.to_yaml()).scheduler.grace_epochs == 7
    # A resumed search keeps it, whatever was logged since.
    assert with_first_rung(pinned, past(spec, 3), "own", {}) == (pinned, "")


def test_a_rung_that_is_stated_stays() -> None:
    spec = digits({"name": "asha", "grace_epochs": 5})
    assert with_first_rung(spec, past(spec, 7), "own", {}) == (spec, "")


def test_too_few_curves_leave_the_usual_rung() -> None:
    spec = digits({"name": "asha"})
    pinned, said = with_first_rung(spec, past(spec, 7, count=19), "own", {})
    assert pinned.scheduler.grace_epochs == 3
    assert said == "the first rung is at epoch 3 of 15: too few past curves say more"
    short = digits({"name": "asha"}, epochs=2)
    pinned, said = with_first_rung(short, [], "own", {})
    assert pinned.scheduler.grace_epochs == 2
    assert said == "no trial is stopped for its rank: trials of 2 epochs end before the first rung"


def test_curves_that_never_agree_stop_no_trial() -> None:
    spec = digits({"name": "asha"})
    pinned, said = with_first_rung(spec, past(spec, EPOCHS), "own", {})
    assert said.startswith("no trial is stopped")
    assert compared_metrics(spec) and not compared_metrics(pinned)
    assert spec_from_yaml(pinned.to_yaml()).scheduler.grace_epochs == EPOCHS


def test_without_a_scheduler_nobody_asks_for_a_rung() -> None:
    spec = digits({"name": "none"})
    assert with_first_rung(spec, past(spec, 7), "own", {}) == (spec, "")

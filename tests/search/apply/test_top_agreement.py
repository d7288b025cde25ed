"""Where the best configurations of a past task lie in the predictions of the others."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from search.apply.task_models import TaskModel, task_models
from search.apply.top_agreement import top_agreements
from search.experience import Experience, TopAgreement
from search.extract.describe import lines
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace

LINE = SearchSpace({"x": FloatDistribution(0.0, 1.0)})
LOSS = Objective("loss", "minimize")
PLACES = np.linspace(0.0, 1.0, 31)


def models(**losses: object) -> list[TaskModel]:
    trials = [
        Trial(
            state="complete", configuration={"x": float(x)}, values=(float(loss),),
            objectives=(LOSS,), task=task, search=task, number=number, run_id=f"{task}{number}",
        )
        for task, each in losses.items()
        for number, (x, loss) in enumerate(zip(PLACES, np.asarray(each), strict=True))
    ]  # fmt: skip
    return list(task_models(trials, LINE, [LOSS], {}).models)


def test_tasks_that_are_alike_agree_at_the_top():
    found = top_agreements(models(a=PLACES, b=2 * PLACES, c=PLACES**2), LINE, [LOSS])
    # The best three of a task are at 0, 1/30 and 2/30: the median has a thirtieth below it.
    assert [each.quantile for each in found] == pytest.approx([1 / 30] * 3, abs=0.02)
    assert all(each.correlation > 0.99 for each in found)
    assert all(each.others == 2 for each in found)
    text = lines(Experience("t", used=("s",), top_agreements=found))
    assert any("and agree at the top" in line for line in text)


def test_a_task_that_is_best_where_the_others_are_middling_is_named_first():
    # It is like the others but for a dip at 0.3, where three tenths of the space are better there.
    dip = PLACES - 2.0 * np.exp(-(((PLACES - 0.3) / 0.05) ** 2))
    found = top_agreements(models(a=PLACES, b=PLACES, c=PLACES, car=dip), LINE, [LOSS])
    assert found[0].task == "car"
    assert found[0].quantile == pytest.approx(0.3, abs=0.06)
    assert found[0].correlation > 0.5
    assert found[0].runs[0] == "car9"  # at 9/30
    text = "\n".join(lines(Experience("t", used=("s",), top_agreements=found)))
    assert "Top of loss: the best of car lie at the" in text
    assert "what 3 other tasks predict" in text
    assert "in bulk (rank correlation" in text
    assert text.endswith("and differ at the top")


def test_opposite_tasks_disagree():
    found = top_agreements(models(a=PLACES, b=-PLACES), LINE, [LOSS])
    assert [each.quantile > 0.9 for each in found] == [True, True]
    text = lines(Experience("t", used=("s",), top_agreements=found))
    assert any("what 1 other task predicts" in each and "tasks disagree" in each for each in text)


def test_tasks_that_share_their_best_alone_agree_at_the_top():
    found = tuple(TopAgreement("loss", task, 0.03, 0.05, 1, ()) for task in "ab")
    text = lines(Experience("t", used=("s",), top_agreements=found))
    assert any(
        "tasks disagree in bulk (rank correlation +0.05) and agree at the top" in each
        for each in text
    )


def test_a_single_task_and_an_empty_space_say_nothing():
    assert top_agreements(models(a=PLACES), LINE, [LOSS]) == ()
    assert top_agreements([], SearchSpace({}), [LOSS]) == ()


def test_json_carries_the_statements():
    found = top_agreements(models(a=PLACES, b=PLACES**2), LINE, [LOSS])
    experience = Experience("t", top_agreements=found)
    assert Experience.from_json(experience.to_json()) == experience

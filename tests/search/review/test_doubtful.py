"""Past trials whose robust accuracy is in doubt end as the later search's own spec says."""

from __future__ import annotations

import pyarrow as pa
import pytest

from search.history import History
from search.history.causes import IN_DOUBT
from search.review import reconcile_for
from search.spec import spec_from_yaml
from tests.support.earlier_searches import (
    ACCURACY,
    SGD,
    TARGET,
    earlier,
    points,
    reconciled,
    together,
)
from tests.support.spec_documents import changed

OTHER_PGD, PGD = "accuracy.pgd20_linf_0.3", "accuracy.pgd10_linf_0.1"
DOUBT = f"{IN_DOUBT}, and {PGD} 0.9 does not count: outputs jump (30% of the images); fix: ..."


def in_doubt(**curves: list[float]) -> History:
    """Returns a trial that does not count, and one that diverged, with the same metrics."""
    told = {"objectives": [ACCURACY, PGD], "directions": ["maximize"] * 2, "values": []}
    first, second = (
        earlier(
            [SGD], search=search, state="failed", reason=reason, curves=points(**curves), **told
        )
        for search, reason in (("s1", DOUBT), ("s2", "not finite: loss"))
    )
    return together(first, second)


def test_a_trial_in_doubt_is_complete_where_the_spec_keeps_such_trials() -> None:
    known, goals = in_doubt(**{ACCURACY: [0.6, 0.8], PGD: [0.5, 0.9]}), [PGD, ACCURACY]
    kept, diverged = reconciled(known, objectives=goals, excludes_doubtful=False).trials
    assert (kept.state, kept.cause, kept.by_metric) == ("complete", "", {PGD: 0.9, ACCURACY: 0.8})
    assert (diverged.state, diverged.cause, diverged.values) == ("failed", "diverged", ())
    excluded, _ = reconciled(known, objectives=goals).trials
    assert (excluded.state, excluded.cause) == ("failed", "masked gradients")


def test_a_kept_trial_without_its_metrics_is_left_out_and_is_no_failure() -> None:
    known = in_doubt(**{ACCURACY: [0.8]})
    found = reconciled(known, objectives=[ACCURACY, PGD], excludes_doubtful=False)
    assert [trial.cause for trial in found.trials] == ["diverged"]
    assert found.left_out == {f"it has no finite value of {PGD}": 1}


@pytest.mark.parametrize(("doubtful", "state"), [("keep", "complete"), ("exclude", "failed")])
def test_the_spec_says_whether_trials_in_doubt_count(doubtful: str, state: str) -> None:
    spec = spec_from_yaml(changed("robustness/doubtful", doubtful))
    clean, robust = spec.metrics
    for known in (in_doubt(**{ACCURACY: [0.8], PGD: [0.9]}), kept()):
        known = known.renamed({}, {PGD: robust, ACCURACY: clean})
        assert reconcile_for(spec, known, TARGET, spec.objectives).trials[0].state == state


def kept(**curves: list[float]) -> History:
    """Returns a complete trial of a search that keeps doubtful ones: gradients vanish for 99 %."""
    curves = {ACCURACY: [0.6, 0.8], PGD: [0.5, 0.9], "robustness.vanished": [0.99]} | curves
    return earlier(
        [SGD], objectives=[ACCURACY, PGD], directions=["maximize"] * 2, values=[0.8, 0.9],
        curves=points(**curves),
    )  # fmt: skip


def test_a_kept_trial_in_doubt_has_failed_where_the_spec_excludes_such_trials() -> None:
    excluded, *none = reconciled(kept(), objectives=[PGD, ACCURACY], excludes_doubtful=True).trials
    assert not none and (excluded.state, excluded.values) == ("failed", ())
    assert excluded.cause == "masked gradients"
    assert f"{PGD} 0.9" in excluded.reason and "gradients vanish (99% of" in excluded.reason
    (as_it_was,) = reconciled(
        kept(), objectives=[PGD, ACCURACY], excludes_doubtful=False
    ).trials  # fmt: skip
    assert (as_it_was.state, as_it_was.values) == ("complete", (0.9, 0.8))
    short = kept()
    column = short.trials.column_names.index("values")
    damaged = short.trials.set_column(column, "values", pa.array([[0.8]]))
    (failed,) = reconciled(History(damaged, short.searches), objectives=[PGD]).trials
    assert failed.cause == "masked gradients", "its row may be damaged"
    sound = kept(**{"robustness.vanished": [0.01], "robustness.replaced": [1.0]})
    assert reconciled(sound, objectives=[PGD], excludes_doubtful=True).trials[0].values == (0.9,)


@pytest.mark.parametrize(
    ("objectives", "state"),
    [([PGD], "failed"), ([ACCURACY, OTHER_PGD], "failed"), ([""] * 2, "failed"),
     ([ACCURACY], "complete")],
)  # fmt: skip
def test_without_a_spec_trials_in_doubt_fail_where_a_robust_accuracy_counts(
    objectives: list[str], state: str
) -> None:
    failed_there, _ = reconciled(
        in_doubt(**{ACCURACY: [0.8], PGD: [0.9]}), objectives=objectives
    ).trials  # fmt: skip
    (kept_there,) = reconciled(kept(), objectives=objectives).trials
    assert failed_there.state == kept_there.state == state

"""What an earlier search of the same model did not search, it had all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from models.catalog import MODELS, complete
from search.history import History, Trial
from search.objectives.objective import from_lists
from search.review import Reconciled, Trained, reconcile
from search.space import SearchSpace
from tests.support.earlier_searches import ACCURACY, earlier

CNN = Trained("cnn", MODELS["cnn"])
RATE = FloatDistribution(1e-4, 1e-1, log=True)
DECAY = FloatDistribution(1e-5, 1.0, log=True)
THEIRS = SearchSpace(
    {
        "adamw.learning_rate": RATE,
        "weight_decay": DECAY,
        "adversarial_training": CategoricalDistribution(("none", "pgd")),
    }
)
OURS = SearchSpace(
    {
        **THEIRS.distributions,
        "adversarial_weight_decay": DECAY,
        "crafting_mode": CategoricalDistribution(("eval", "train")),
        "schedule": CategoricalDistribution(("cosine", "one_cycle", "step")),
        "step.start": FloatDistribution(0.5, 0.9),
    },
    {
        "adversarial_weight_decay": {"adversarial_training": ("pgd",)},
        "crafting_mode": {"adversarial_training": ("pgd",)},
        "step.start": {"schedule": ("step",)},
    },
)
PLAIN = {"adamw.learning_rate": 0.01, "weight_decay": 0.03, "adversarial_training": "none"}
ATTACKED = PLAIN | {"adversarial_training": "pgd"}


def of_model(history: History, **fingerprint: Any) -> History:
    known = replace(history.searches["s1"], fingerprint={"model": "cnn", **fingerprint})
    return replace(history, searches={"s1": known})


def found(history: History, trained: Trained = CNN, space: SearchSpace = OURS) -> Reconciled:
    return reconcile(history, space, from_lists([ACCURACY], ["maximize"]), trained)


def trials(*configurations: Mapping[str, Any], **fingerprint: Any) -> tuple[Trial, ...]:
    return found(of_model(earlier(configurations, THEIRS), **fingerprint)).trials


def test_a_trial_from_before_a_hyperparameter_has_its_default_and_is_exact() -> None:
    plain, attacked = trials(PLAIN, ATTACKED)
    assert plain.is_exact and attacked.is_exact
    assert dict(plain.configuration) == PLAIN | {"schedule": "cosine"}
    own = {"adversarial_weight_decay": 0.03, "crafting_mode": "eval", "schedule": "cosine"}
    assert dict(attacked.configuration) == ATTACKED | own
    # It is the training that was run.
    assert complete("cnn", attacked.configuration) == complete("cnn", ATTACKED)


def test_what_a_task_fixed_is_what_its_trials_had() -> None:
    (trial,) = trials(ATTACKED, settings={"schedule": "step", "crafting_mode": "train"})
    assert trial.configuration["crafting_mode"] == "train"
    assert (trial.configuration["schedule"], trial.configuration["step.start"]) == ("step", 0.5)


def test_a_value_outside_the_range_stays_what_it_was() -> None:
    narrow = SearchSpace({**THEIRS.distributions, "label_smoothing": FloatDistribution(0.1, 0.2)})
    (trial,) = found(of_model(earlier([PLAIN], THEIRS)), space=narrow).trials
    assert trial.configuration["label_smoothing"] == 0.0 and not trial.is_exact


def test_what_they_searched_and_lack_stays_unknown() -> None:
    lacking = {name: value for name, value in PLAIN.items() if name != "weight_decay"}
    (trial,) = trials(lacking)
    assert trial.unknown == {"weight_decay"}


@pytest.mark.parametrize(
    "fingerprint",
    [{"model": "network"}, {"model": 5}, {"initial_weights": {"trial": "s0#1"}}],
    ids=["another model", "not a name", "weights that fix some"],
)
def test_nothing_is_taken_for_known_of_other_searches(fingerprint: dict[str, Any]) -> None:
    (trial,) = trials(ATTACKED, **fingerprint)
    assert {"adversarial_weight_decay", "crafting_mode", "schedule"} <= trial.unknown


def test_nothing_is_taken_for_known_without_a_space_or_a_model() -> None:
    history = of_model(earlier([ATTACKED], THEIRS))
    (trial,) = found(history, Trained()).trials
    assert "schedule" in trial.unknown
    unlogged = replace(history.searches["s1"], space=None)
    (trial,) = found(replace(history, searches={"s1": unlogged})).trials
    assert "schedule" in trial.unknown


@pytest.mark.parametrize("settings", [None, 3, ["schedule"], {"schedule": ["a"], "step.start": {}}])
def test_settings_that_are_none_do_no_harm(settings: Any) -> None:
    (trial,) = trials(ATTACKED, settings=settings)
    assert trial.configuration["weight_decay"] == 0.03


def test_a_line_says_what_was_taken_for_known_and_in_how_many_trials() -> None:
    other = ATTACKED | {"weight_decay": 0.1}
    lines = found(of_model(earlier([PLAIN, ATTACKED, other], THEIRS))).lines()
    assert lines == [
        "fixed: schedule {cosine, one_cycle, step} was not searched in s1: 'cosine' in 3 trials, "
        "by its settings or by default",
        "fixed: adversarial_weight_decay 1e-05..1 (log) was not searched in s1: 2 values in 2 "
        "trials, by its settings or by default",
        "fixed: crafting_mode {eval, train} was not searched in s1: 'eval' in 2 trials, by its "
        "settings or by default",
        "added: step.start 0.5..0.9 is new here: missing in s1, unknown in 0 trials",
    ]

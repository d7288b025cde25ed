"""History from Optuna's studies, through parquet, and with a search left out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.history import History, Rejected, Search
from search.objectives import Objective
from search.objectives.objective import Role, from_lists
from search.space import SearchSpace

X = FloatDistribution(0.0, 1.0)
BOTH = ("maximize", "minimize")
GOALS = from_lists(("accuracy", "loss"), BOTH)


def frozen(
    x: float,
    values: list[float] | None = None,
    state: TrialState = TrialState.COMPLETE,
    **more: Any,
) -> FrozenTrial:
    return create_trial(
        state=state, params={"x": x}, distributions={"x": X}, values=values, **more
    )  # fmt: skip


def history_of(**tasks: list[FrozenTrial]) -> History:
    return History.from_studies(tasks, BOTH, objectives=["accuracy", "loss"])


def test_no_history_is_empty_in_every_way() -> None:
    history = History.empty()
    assert (len(history), history.tasks(), history.prior_trials(state=None)) == (0, [], [])
    assert len(history.only(["anything"])) == 0


def test_a_study_becomes_the_trials_and_the_search_of_its_task() -> None:
    study = optuna.create_study(directions=BOTH)
    study.add_trial(frozen(0.25, [0.9, 0.1]))
    history = History.from_studies({"digits": study}, BOTH, objectives=["accuracy", "loss"])
    (trial,) = history.prior_trials("digits")
    assert trial.configuration == {"x": 0.25} and trial.values == (0.9, 0.1)
    assert (trial.task, trial.search, trial.number) == ("digits", "digits", 0)
    assert trial.objectives == GOALS
    search = history.searches["digits"]
    assert search.space == SearchSpace({"x": X})
    assert (search.objectives, search.trials_budget) == (GOALS, 1)


def test_objectives_are_taken_with_their_directions_and_roles() -> None:
    goals = (GOALS[0], Objective("loss", "minimize", Role("report")))
    trials = {"a": [frozen(0.5, [1.0, 2.0])]}
    assert History.from_studies(trials, objectives=goals).searches["a"].objectives == goals
    with pytest.raises(ValueError, match="an Objective has its own direction"):
        History.from_studies(trials, BOTH, objectives=goals)
    with pytest.raises(
        ValueError, match="lists of trials have no directions; fix: give directions"
    ):
        History.from_studies(trials, objectives=["accuracy", "loss"])


def test_objectives_without_names_are_numbered() -> None:
    history = History.from_studies({"a": [frozen(0.5, [1.0, 2.0])]}, BOTH)
    assert history.searches["a"].metrics == ("objective_0", "objective_1")


@pytest.mark.parametrize(
    ("state", "named"),
    [
        (TrialState.PRUNED, "stopped"),
        (TrialState.FAIL, "failed"),
        (TrialState.RUNNING, "running"),
        (TrialState.WAITING, "running"),
    ],
)
def test_only_complete_trials_have_values_and_are_given_unasked(
    state: TrialState, named: str
) -> None:
    history = history_of(a=[frozen(0.5, state=state), frozen(0.25, [0.9, 0.1])])
    unfinished, _ = history.prior_trials(state=None)
    assert (unfinished.state, unfinished.values) == (named, ())
    assert [trial.configuration["x"] for trial in history.prior_trials()] == [0.25]
    assert [trial.configuration["x"] for trial in history.prior_trials(state=named)] == [0.5]


@pytest.mark.parametrize("values", [[0.9, math.nan], [0.9, math.inf], [0.9, -math.inf], [0.9]])
def test_a_complete_trial_without_a_finite_value_of_each_objective_counts_as_failed(
    values: list[float],
) -> None:
    broken = FrozenTrial(
        number=0, trial_id=0, state=TrialState.COMPLETE, value=None, values=values,
        datetime_start=None, datetime_complete=None, params={"x": 0.5}, distributions={"x": X},
        user_attrs={}, system_attrs={}, intermediate_values={},
    )  # fmt: skip
    (trial,) = history_of(a=[broken]).prior_trials(state=None)
    assert (trial.state, trial.values) == ("failed", ())


def test_a_stated_cost_that_can_be_none_is_unknown() -> None:
    absurd = {"work": 10**400, "seconds": math.inf, "epoch": 1e300}
    known = {"work": 3e12, "seconds": 7, "epoch": 3}
    trials = [frozen(0.5, [0.9, 0.1], user_attrs=cost) for cost in (absurd, known)]
    unknown, read = history_of(a=trials).prior_trials()
    assert (unknown.work, unknown.seconds, unknown.epoch) == (0.0, 0.0, 0)
    assert (read.work, read.seconds, read.epoch) == (3e12, 7.0, 3)


def test_intermediate_values_are_the_first_objectives_curve() -> None:
    pruned = frozen(0.5, state=TrialState.PRUNED, intermediate_values={1: 0.5, 3: 0.75})
    (trial,) = history_of(a=[pruned]).prior_trials(state=None)
    assert trial.curves == {"accuracy": {1: 0.5, 3: 0.75}} and trial.epoch == 3


def test_conditional_trials_keep_active_hyperparameters_and_the_space_has_all() -> None:
    optimizer = CategoricalDistribution(["sgd", "adamw"])
    branches = [("sgd", "sgd.momentum", 0.5), ("adamw", "adamw.beta", 0.75)]
    trials = [
        create_trial(
            params={"optimizer": name, child: value}, values=[0.5, 0.5],
            distributions={"optimizer": optimizer, child: X},
        )
        for name, child, value in branches
    ]  # fmt: skip
    history = history_of(a=trials)
    assert [dict(trial.configuration) for trial in history.prior_trials()] == [
        {"optimizer": "sgd", "sgd.momentum": 0.5}, {"optimizer": "adamw", "adamw.beta": 0.75},
    ]  # fmt: skip
    space = history.searches["a"].space
    assert space is not None
    assert set(space.distributions) == {"optimizer", "sgd.momentum", "adamw.beta"}


def test_values_keep_their_types() -> None:
    params = {"flag": True, "width": 64, "rate": 1.0, "kind": "none", "mixed": 1}
    distributions = {
        "flag": CategoricalDistribution([False, True]),
        "width": IntDistribution(16, 64),
        "rate": FloatDistribution(0.0, 1.0),
        "kind": CategoricalDistribution(["none", "batch"]),
        "mixed": CategoricalDistribution([1, "1"]),
    }
    trial = create_trial(params=params, distributions=distributions, values=[0.5, 0.5])
    (read,) = history_of(a=[trial]).prior_trials()
    assert read.configuration == params
    assert {name: type(value) for name, value in read.configuration.items()} == {
        "flag": bool, "width": int, "rate": float, "kind": str, "mixed": int,
    }  # fmt: skip


def test_the_space_is_the_one_its_author_last_used() -> None:
    wide = FloatDistribution(0.0, 2.0)
    late = create_trial(params={"x": 1.5}, distributions={"x": wide}, values=[0.5, 0.5])
    history = history_of(a=[frozen(0.5, [0.5, 0.5]), late])
    assert history.searches["a"].space == SearchSpace({"x": wide})


def test_a_trial_tells_how_long_it_took() -> None:
    began = datetime(2026, 1, 2, 3, 4, 5)
    trial = frozen(0.5, [0.5, 0.5])
    trial.datetime_start, trial.datetime_complete = began, began + timedelta(seconds=90)
    history = history_of(a=[trial])
    (read,) = history.prior_trials()
    assert read.seconds == 90 and read.started == began.astimezone(UTC)
    assert history.searches["a"].started == began.astimezone(UTC)


def test_trials_are_found_by_task_state_and_search() -> None:
    history = history_of(a=[frozen(0.1, [0.5, 0.5])], b=[frozen(0.2, state=TrialState.FAIL)])
    assert history.tasks() == ["a", "b"]
    assert len(history.prior_trials("a")) == 1 and history.prior_trials("b") == []
    assert len(history.prior_trials("b", state=None)) == 1
    assert len(history.prior_trials(state=None, search="b")) == 1
    assert history.prior_trials("a", search="b") == []


def test_a_history_of_some_searches_never_knew_the_others() -> None:
    history = history_of(a=[frozen(0.1, [0.5, 0.5])], b=[frozen(0.2, [0.5, 0.5])])
    only = history.only(["b", "unknown"])
    assert (only.tasks(), list(only.searches), len(only)) == (["b"], ["b"], 1)
    assert len(history) == 2 and list(history.searches) == ["a", "b"]
    assert len(history.only([])) == 0


def test_parquet_gives_back_all_that_history_knows(tmp_path: Path) -> None:
    conditional = SearchSpace(
        {"kind": CategoricalDistribution(["a", "b"]), "x": X}, {"x": {"kind": ("a",)}}
    )
    table = history_of(
        a=[frozen(0.5, [0.9, 0.1]), frozen(0.25, state=TrialState.PRUNED,
                                           intermediate_values={1: 0.5, 2: math.nan})]
    ).trials  # fmt: skip
    search = Search(
        "a", "a", {"name": "ä", "epochs": 3}, conditional, GOALS,
        datetime(2026, 1, 2, tzinfo=UTC), trials_budget=9, epochs=3, seed=2**31,
        state="interrupted", warm=True, run_id="r",
    )  # fmt: skip
    history = History(table, {"a": search}, (Rejected("r9", "name", "no <b>space</b>"),))
    history.to_parquet(tmp_path / "history.parquet")
    read = History.from_parquet(tmp_path / "history.parquet")
    assert read.trials.schema.equals(table.schema)
    assert str(read.trials.to_pylist()) == str(table.to_pylist())  # NaN is not equal to itself
    assert read.searches == history.searches and read.rejected == history.rejected


def test_an_empty_history_survives_parquet(tmp_path: Path) -> None:
    History.empty().to_parquet(tmp_path / "history.parquet")
    read = History.from_parquet(tmp_path / "history.parquet")
    assert (len(read), read.searches, read.rejected) == (0, {}, ())


def study_of(*directions: str, names: list[str] | None = None) -> optuna.Study:
    study = optuna.create_study(directions=directions)
    if names:
        study.set_metric_names(names)
    study.add_trial(frozen(0.25, [0.5] * len(directions)))
    return study


def test_a_study_says_its_directions_and_the_names_of_its_objectives() -> None:
    plain = History.from_studies({"a": study_of(*BOTH)})
    assert plain.searches["a"].objectives == from_lists(("objective_0", "objective_1"), BOTH)
    named = History.from_studies({"a": study_of(*BOTH, names=["accuracy", "loss"])})
    assert named.searches["a"].objectives == GOALS
    renamed = History.from_studies({"a": study_of(*BOTH)}, objectives=["accuracy", "loss"])
    assert renamed.searches["a"].objectives == GOALS


def test_a_list_of_trials_has_the_directions_of_the_studies_next_to_it() -> None:
    studies = {"a": [frozen(0.5, [1.0, 2.0])], "b": study_of(*BOTH)}
    assert History.from_studies(studies).searches["a"].objectives[1].direction == "minimize"


def test_studies_that_disagree_are_refused() -> None:
    two = {"a": study_of("maximize"), "b": study_of("minimize")}
    with pytest.raises(ValueError, match="study 'b' was to minimize, not to maximize; fix: "):
        History.from_studies(two)
    with pytest.raises(ValueError, match="study 'a' was to maximize, not to minimize"):
        History.from_studies({"a": two["a"]}, ["minimize"])
    named = {"a": study_of("maximize", names=["f1"]), "b": study_of("maximize", names=["auc"])}
    with pytest.raises(ValueError, match="name different objectives: auc and f1"):
        History.from_studies(named)


def test_intermediate_values_from_step_zero_are_those_of_epoch_one() -> None:
    pruned = frozen(0.5, state=TrialState.PRUNED, intermediate_values={0: 3.0})
    whole = frozen(0.6, [1.0], intermediate_values={0: 3.0, 1: 2.0})
    from_zero = History.from_studies({"a": [pruned, whole]}, ["minimize"])
    from_one = History.from_studies(
        {"a": [frozen(0.6, [1.0], intermediate_values={1: 3.0, 2: 2.0})]}, ["minimize"]
    )
    trials = from_zero.prior_trials(state=None)
    assert [trial.epoch for trial in trials] == [1, 2]
    assert trials[1].curves == from_one.prior_trials()[0].curves


def test_a_representation_is_one_short_line() -> None:
    history = history_of(a=[frozen(0.5, [1.0, 2.0])], b=[frozen(0.5, [1.0, 2.0])])
    assert repr(history) == "History(2 trials of 2 searches)"
    assert repr(history.prior_trials()[0]) == (
        "Trial(a#-1, complete, {'x': 0.5}, accuracy=1, loss=2)"
    )
    assert repr(GOALS[0]) == "Objective('accuracy', 'maximize')"
    left_out = History(rejected=(Rejected("r", "a run", "measured nothing"),))
    assert repr(left_out) == "History(0 trials of 0 searches, 1 run left out)"


def test_metrics_are_those_of_objectives_and_curves_the_most_frequent_first() -> None:
    rare = frozen(0.5, [1.0, 2.0], intermediate_values={1: 0.5})
    history = history_of(a=[rare, frozen(0.6, [1.0, 2.0])])
    assert history.metrics() == ["accuracy", "loss"]
    assert History.empty().metrics() == []


def test_a_trial_that_broke_a_constraint_is_a_failed_one_and_no_optimum():
    study = optuna.create_study()
    for rate, excess in ((0.1, 0.25), (0.2, 0.0), (0.3, -1.0)):
        trial = study.ask()
        trial.set_constraint("memory", excess)
        study.tell(trial, trial.suggest_float("rate", rate, rate))
    first, second, third = History.from_studies({"t": study}).prior_trials(state=None)
    assert (first.state, first.values) == ("failed", ())
    assert first.reason == "broke a constraint, which is kept at 0 or below: memory was 0.25"
    assert (second.values, third.values) == ((0.2,), (0.3,))  # 0 is kept


@pytest.mark.parametrize("given", [{}, [], "study.db", {"a": "sqlite:///study.db"}, {"a": 7}])
def test_what_is_no_study_by_its_task_is_refused_with_what_it_takes(given: Any) -> None:
    with pytest.raises(TypeError, match=r"fix: from_studies\(\{TASK: STUDY\}\)"):
        History.from_studies(given)

"""The contract of layouts of other tools' runs: what each of `LAYOUTS` keeps on a store of its own.

A new layout is one more line there, with a store that its tool wrote
(tests/support/stores_of_tools.py). What a tool means by what it logs is for its layout's own tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from search.history.states import STATES, TO_MLFLOW, State, state_of_run
from search.tracking.foreign import (
    autologging,
    generic,
    imported,
    optuna_callback,
    optuna_storage,
    ray_tune,
)
from search.tracking.foreign.layout import Layout, Reading
from search.tracking.foreign.nesting import sorted_families
from search.tracking.foreign.param_types import parsed
from search.tracking.foreign.rows import LAYOUTS as READ_BY
from search.tracking.read.history import load_history
from search.tracking.read.sql_reader import Database
from search.tracking.runs import Run, parsed_runs
from search.tracking.store import open_client
from tests.support.stores_of_tools import (
    autologged_store,
    by_hand_store,
    imported_store,
    optuna_callback_store,
    optuna_storage_store,
    ray_tune_store,
)


@dataclass(frozen=True)
class Tool:
    """A layout under test.

    Attributes:
        layout: The module.
        store: Makes a store of the tool's in the session's folder, once.
        killed: What MLflow's KILLED means to the tool.
        own_words: Tags by which it tells a state better than MLflow's status does.
        is_slow: Whether the store takes seconds.
    """

    layout: Layout
    store: Callable[[Path], str]
    killed: State = "interrupted"
    own_words: tuple[str, ...] = ()
    is_slow: bool = False


LAYOUTS: dict[str, Tool] = {
    "imported": Tool(imported, imported_store, own_words=("twentieth.state",)),
    "optuna_storage": Tool(optuna_storage, optuna_storage_store, killed="stopped"),
    "optuna_callback": Tool(optuna_callback, optuna_callback_store, own_words=("state",)),
    "ray_tune": Tool(ray_tune, ray_tune_store),
    "autologging": Tool(autologging, autologged_store, is_slow=True),
    "generic": Tool(generic, by_hand_store),
}
each_tool = pytest.mark.parametrize(
    "tool",
    [
        pytest.param(tool, id=name, marks=pytest.mark.slow if tool.is_slow else ())
        for name, tool in LAYOUTS.items()
    ],
)

Family = tuple[Run, Run | None]  # a trial's run, and the one around it


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp()


@functools.cache
def families_of(uri: str) -> list[Family]:
    """The trials of a store, as a layout is asked about them."""
    found: list[Family] = []
    for experiment in (each.experiment_id for each in open_client(uri).search_experiments()):
        database = Database(uri, {})
        signatures = database.signatures([experiment], {experiment: {}})[experiment]
        table = database.fetch(experiment, list(signatures), signatures)
        families = sorted_families(parsed_runs(table), {})
        found += [(run, families.parents.get(run.parent or "")) for run in families.trials]
    assert found, "the store has no trial"
    return found


def frozen(run: Run) -> Run:
    """A run that cannot be written to."""
    return replace(
        run, params=MappingProxyType(dict(run.params)), tags=MappingProxyType(dict(run.tags)),
        metrics=MappingProxyType(dict(run.metrics)),
    )  # fmt: skip


def assert_sound(reading: Reading) -> None:
    """What a reading promises, whatever the run holds."""
    assert reading.state in STATES
    assert not set(reading.texts) & set(reading.known), "a hyperparameter is typed once"
    assert all(type(text) is str for text in reading.texts.values())
    assert set(reading.distributions) <= set(reading.known) | set(reading.texts)
    if reading.state != "complete":
        assert reading.values == ()
    assert len(reading.values) in (0, len(reading.objectives))
    assert reading.number is None or 0 <= reading.number < 10**9


@each_tool
def test_each_run_of_a_store_is_claimed_by_its_own_layout_alone(
    tool: Tool, session_folder: Path
) -> None:
    """`generic` takes what nobody else does, and is asked last."""
    special = [each for each in READ_BY if each is not generic]
    expected = [] if tool.layout is generic else [tool.layout]
    for run, parent in families_of(tool.store(session_folder)):
        assert [each for each in special if each.recognises(run, parent)] == expected
        assert generic.recognises(run, parent)
    assert READ_BY[-1] is generic


@each_tool
def test_a_run_whose_parts_are_missing_is_read_all_the_same(
    tool: Tool, session_folder: Path
) -> None:
    """Each tag, param and metric, and the run around it; unless it is no longer recognised."""
    for run, parent in families_of(tool.store(session_folder)):
        for family in [(run, parent), (run, None), *((each, parent) for each in without_one(run))]:
            if tool.layout.recognises(*family):
                assert_sound(tool.layout.read(frozen(family[0]), family[1]))


def without_one(run: Run) -> Iterator[Run]:
    for part in ("tags", "params", "metrics"):
        kept = getattr(run, part)
        for name in kept:
            yield replace(run, **{part: {key: kept[key] for key in kept if key != name}})


HOSTILE = st.sampled_from(
    ["", "0", "-1", "9" * 4000, "²", "nan", "None", "{}", "[]", "[" * 3000, '{"lr": 3}',
     '{"lr": "{}"}', '["\\ud800"]', "MAXIMIZE", "[MINIMIZE, 'MAXIMIZE']", "SIDEWAYS", "COMPLETE",
     "PRUNED", "FloatDistribution(low=0.0, high=1.0)", "FloatDistribution(" + "(" * 4000 + ")",
     "SearchCV", "\udfff", "<script>"]
)  # fmt: skip
TAGS = st.sampled_from(
    ["number", "numbers", "direction", "datetime_start", "state", "lr_distribution", "trial_name",
     "param_directions", "param_internal_val_lr", "optuna.study_direction",
     "sys_study:metric_names", "twentieth.configuration", "twentieth.values", "twentieth.space",
     "twentieth.objectives", "twentieth.directions", "twentieth.state", "estimator_class",
     "mlflow.autologging", "mlflow.parentRunId"]
)  # fmt: skip
RUNS = st.builds(
    Run,
    run_id=st.just("a run"),
    name=HOSTILE,
    status=st.sampled_from(["FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED", "", "?"]),
    params=st.dictionaries(st.sampled_from(["lr", "kind", "config/lr", "refit", ""]), HOSTILE),
    tags=st.dictionaries(TAGS, HOSTILE),
    metrics=st.dictionaries(
        st.sampled_from(["value", "value_0", "value_1", "intermediate_value", "mean_test_score",
                         "training_iteration", "config/lr", "loss"]),
        st.floats(),
    ),
)  # fmt: skip
# What each layout asks for, so that hostile runs are recognised often.
BAIT: dict[str, Mapping[str, str]] = {
    "imported": {"twentieth.kind": "imported"},
    "optuna_storage": {"param_directions": "{}"},
    "optuna_callback": {"number": "0", "direction": "MAXIMIZE", "datetime_start": ""},
    "ray_tune": {"trial_name": "t"},
    "autologging": {"estimator_class": "SearchCV"},
}


@pytest.mark.parametrize("name", LAYOUTS)
@given(run=RUNS, parent=st.none() | RUNS)
@settings(max_examples=25)
def test_no_run_that_it_recognises_is_too_hostile_to_be_read(
    name: str, run: Run, parent: Run | None
) -> None:
    layout = LAYOUTS[name].layout
    for each in (run, replace(run, tags={**BAIT.get(name, {}), **run.tags})):
        if layout.recognises(each, parent):
            assert_sound(layout.read(frozen(each), parent))


@each_tool
def test_states_are_those_of_history(tool: Tool, session_folder: Path) -> None:
    """The status says it, by the one map of history/states, unless the tool says it better."""
    for run, parent in families_of(tool.store(session_folder)):
        assert tool.layout.read(run, parent).state in STATES
        silent = {key: text for key, text in run.tags.items() if key not in tool.own_words}
        for status in (*TO_MLFLOW.values(), "SCHEDULED", "", "WHO KNOWS"):
            expected = tool.killed if status == "KILLED" else state_of_run(status)
            found = tool.layout.read(replace(run, status=status, tags=silent), parent)
            assert found.state == expected, status


@each_tool
def test_hyperparameters_come_back_typed(tool: Tool, session_folder: Path) -> None:
    """No text that reads as a number, bool or None; numbers of one name are all of one type."""
    history = load_history(tool.store(session_folder))
    trials = history.prior_trials(state=None)
    assert trials and all(trial.configuration for trial in trials)
    types: dict[tuple[str, str], set[type]] = {}
    for trial in trials:
        for name, value in trial.configuration.items():
            types.setdefault((trial.search, name), set()).add(type(value))
            assert not isinstance(value, str) or parsed(value) == value, f"{name} is {value!r}"
    assert not [name for name, kinds in types.items() if {int, float} <= kinds]
    assert {kind for kinds in types.values() for kind in kinds} & {int, float}


def test_every_layout_is_under_contract() -> None:
    tools: list[Any] = [tool.layout for tool in LAYOUTS.values()]
    assert len(tools) == len(READ_BY) and all(layout in READ_BY for layout in tools)

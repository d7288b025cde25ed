"""Any history is reviewed, learned from and used: nothing raises, and every trial is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.apply.first_proposals import first_proposals, sampler_for
from search.apply.objective_model import objective_model_of
from search.apply.prior_data import prior_data
from search.apply.used_history import used_history
from search.extract import learn
from search.extract.describe import lines
from search.history import History, Search
from search.history.digest import history_digest
from search.history.other_code import apart
from search.history.provenance import provenance_text, read_origin
from search.history.states import STATES
from search.history.studies import quiet_study
from search.history.table import TRIALS
from search.objectives.objective import from_lists
from search.objectives.roles import searched
from search.review import reconcile
from search.space import SearchSpace
from search.spec import Spec, spec_from_yaml
from search.transfer.cost_forecast import read_cost_forecast
from search.transfer.launch_cost import Known, launch_cost
from tests.support.fuzzing import ODD_NUMBERS, ODD_TEXTS, anything, fuzzed, scalars
from tests.support.launches import hills

pytestmark = pytest.mark.slow

TASK = "hills@1"
SPACE = {
    "kind": {"type": "categorical", "choices": ["a", "b", 3, True]},
    "size": {"type": "int", "low": 1, "high": 64, "log": True},
    "x": {"type": "float", "low": -2.0, "high": 3.0, "when": {"kind": ["a", 3]}},
    "id": {"type": "int", "low": 0, "high": 2**32 - 1},
}
GOALS: list[list[dict[str, Any]]] = [
    [{"metric": "left", "direction": "maximize"}],
    [{"metric": "left", "direction": "maximize"}, {"metric": "right", "direction": "minimize"}],
    [{"metric": "left", "direction": "maximize"},
     {"metric": "right", "direction": "maximize", "role": "constraint", "bound": 0.5}],
]  # fmt: skip
SAMPLERS = [{"name": "warm"}, {"name": "warm", "options": {"sampler": "tpe"}}, {"name": "random"}]
SPECS = [
    spec_from_yaml(
        yaml.safe_dump(hills("two_hills", space=SPACE, objectives=goals, sampler=sampler))
    )
    for goals in GOALS
    for sampler in SAMPLERS
]
NAMES = st.sampled_from(["kind", "size", "x", "id", "lr", "model.depth", "", "ünï ☃", "a.b c"])
METRICS = st.sampled_from(["left", "right", "accuracy.clean", "val_left", "", "☃"])
FINITE = st.floats(-1.0, 1.0) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = FINITE | st.sampled_from([each for each in ODD_NUMBERS if isinstance(each, float)])
DISTRIBUTIONS: list[BaseDistribution] = [
    FloatDistribution(-1.0, 1.0), FloatDistribution(1e-300, 1e300, log=True),
    FloatDistribution(0, 1, step=0.25), FloatDistribution(-1e308, 1e308),
    IntDistribution(0, 10**30), IntDistribution(3, 3), CategoricalDistribution(["a", "c", None]),
    CategoricalDistribution([1, 2]), CategoricalDistribution([True, False]),
]  # fmt: skip
START = datetime(2026, 1, 1, tzinfo=UTC)
INSIDE = st.fixed_dictionaries(
    {"kind": st.sampled_from(["a", "b", 3, True]), "size": st.integers(1, 64),
     "id": st.integers(0, 2**32 - 1)},
    optional={"x": st.floats(-2, 3)},
)  # fmt: skip


@st.composite
def searches(draw: st.DrawFn) -> tuple[Search, list[dict[str, Any]]]:
    """Draws a search, most of its trials as they should be, and some odd ones."""
    name = draw(st.sampled_from(["s1", "s2", "s3", "mlflow:1", "odd ☃ name"]))
    task = draw(st.sampled_from([TASK, "hills@2", "digits@1", "", "☃"]))
    metrics = draw(st.lists(METRICS, max_size=3, unique=True))
    if draw(st.booleans()):
        metrics = ["left", "right"]
    ways = [draw(st.sampled_from(["maximize", "minimize", "unknown"])) for _ in metrics]
    if draw(st.booleans()):
        ways = ["maximize", "minimize", "maximize"][: len(metrics)]
    rows = []
    for number in range(draw(st.integers(0, 12))):
        is_odd = draw(st.integers(0, 3)) == 0
        state = draw(st.sampled_from(STATES)) if is_odd else "complete"
        configuration = draw(st.dictionaries(NAMES, scalars, max_size=4) if is_odd else INSIDE)
        values = (
            [draw(VALUES if is_odd else FINITE) for _ in metrics] if state == "complete" else []
        )
        if is_odd and draw(st.booleans()):
            values = values[:1]
        curve = [
            {"metric": draw(METRICS), "epoch": epoch, "value": draw(VALUES)}
            for epoch in range(draw(st.integers(0, 2)))
        ]
        rows.append({
            "task": task, "search": name, "number": number, "run_id": f"{name}-{number}",
            "state": state, "configuration": json.dumps(configuration),
            "objectives": metrics, "directions": ways, "values": values,
            "epoch": draw(st.integers(0, 3)), "curves": curve,
            "origin": json.dumps(draw(anything)) if is_odd else "{}",
            "started": START + timedelta(minutes=number),
            "seconds": draw(st.sampled_from([7.0, None, 7e-5]) if is_odd else st.just(7.0)),
            "work": draw(st.sampled_from([None, 7e12])),
            "device": draw(st.sampled_from([None, "CPU"])),
        })  # fmt: skip
    fingerprint = draw(st.sampled_from([
        {}, {"name": "x"}, {"data": {"name": "d", "classes": 10**400}, "model": 3},
        {"model": "python:other:f", "objectives": []}, {"epochs": -1, "settings": []},
    ]))  # fmt: skip
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    space = SearchSpace({each: draw(st.sampled_from(DISTRIBUTIONS)) for each in names})
    return Search(
        name,
        task,
        fingerprint,
        draw(st.sampled_from([None, space])),
        from_lists(metrics, ways),
        START,
    ), rows


@st.composite
def histories(draw: st.DrawFn) -> History:
    found = {each.id: (each, rows) for each, rows in draw(st.lists(searches(), max_size=3))}
    table = pa.Table.from_pylist([row for _, rows in found.values() for row in rows], schema=TRIALS)
    return History(table, {name: each for name, (each, _) in found.items()})


@fuzzed(0.1)
@given(histories(), st.sampled_from(SPECS), st.booleans())
def test_any_history_can_be_searched_with(history: History, spec: Spec, is_stored: bool) -> None:
    if is_stored:
        with TemporaryDirectory() as folder:
            history.to_parquet(Path(folder) / "h.parquet")
            again = History.from_parquet(Path(folder) / "h.parquet")
        assert history_digest(again) == history_digest(history)
        history = again
    space, goals = spec.search_space(), spec.objectives
    history = apart(history, spec.task.trains, is_function=True)
    found = reconcile(history, space, goals)
    assert len(found.trials) + found.left_out.total() == len(history)
    assert sum(each.total() for each in found.left_out_of.values()) == found.left_out.total()
    found.lines()
    learned = learn(history, space, task=TASK, fingerprint=spec.fingerprint(None), objectives=goals)
    assert type(learned).from_json(learned.to_json()) == learned
    lines(learned)
    prior = prior_data(found, space, goals, task=TASK, similarities=learned.similarities,
                       has_models=spec.sampler.name == "warm")  # fmt: skip
    used = used_history(history, found, prior, spec)
    assert {*used.searches, *used.unused} == {*history.searches}
    assert not {*used.searches} & {*used.unused}
    used.lines()
    names = history.trial_names()
    proposals = first_proposals(spec, prior, space, TASK, 2)
    known = Known(history, prior, replace(learned, used=tuple(used.searches)), {})
    cost = launch_cost(spec, known, {"s1": "GPU"}, proposals[0].configuration)
    assert read_cost_forecast(cost.to_json()) == cost and all(cost.lines())
    for proposal in proposals:
        assert space.contains(proposal.configuration), space.problems(proposal.configuration)
        assert "reason" not in proposal.origin, proposal.origin
        json.dumps(proposal.origin)
        provenance_text(read_origin(proposal.origin), names)
    sampler = sampler_for(spec, prior, space, TASK)
    study = quiet_study(searched(goals), sampler)
    for number in range(3):
        made = sampler.propose(study)
        assert made is not None and "reason" not in made.origin, made
        assert space.contains(made.configuration)
        trial = sampler.ask(study, made)
        study.tell(trial, objective_model_of(goals).told(trial, [0.1 * number] * len(goals)))


def test_odd_texts_are_names_too() -> None:
    rows = [
        {"task": TASK, "search": text, "number": index, "run_id": f"r{index}", "state": "complete",
         "configuration": json.dumps({text: text, "size": 3}), "objectives": ["left"],
         "directions": ["maximize"], "values": [0.5], "epoch": 1, "curves": [], "origin": "[]",
         "started": START, "seconds": 1.0}
        for index, text in enumerate(ODD_TEXTS)
    ]  # fmt: skip
    history = History(pa.Table.from_pylist(rows, schema=TRIALS))
    assert len(reconcile(history, SPECS[0].search_space(), SPECS[0].objectives).trials) == len(rows)

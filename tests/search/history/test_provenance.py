"""Origins: reading untrusted records, and the sentence for each step."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.history.provenance import (
    Origin,
    evidence_in_words,
    ledger_columns,
    ledger_metrics,
    provenance_text,
    read_origin,
    tasks_in_words,
)

GUARD = {
    "history": "agreeing", "log_evidence": 3.7, "trials": 14,
    "dropped": {"kmnist": "its predictions do not fit what was seen here"},
    "agreement": {"mnist": 0.5, "kmnist": -0.2},
}  # fmt: skip
WEIGHTED = {
    "step": "history-model", "source_runs": ["a", "b", "c"], "sampler": "transfer",
    "source_tasks": {"digits": 0.30, "mnist": 0.61, "fashion": -0.09}, "prior_trials": 0,
}  # fmt: skip


def said(**origin: Any) -> str:
    return provenance_text(read_origin(origin))


def test_a_model_that_weights_tasks_names_them_their_weights_and_the_evidence() -> None:
    guard = GUARD | {"dropped": {}}
    # e^3.7 = 40.4
    assert said(**WEIGHTED, guard=guard) == (
        "It was proposed by a model that weights 3 earlier tasks (mnist 0.61, digits 0.30, "
        "fashion in reverse 0.09), after 14 trials here; the results so far are for history by a "
        "factor of 40 (log evidence 3.7). Nearest earlier trials: runs a, b, c."
    )


def test_dropped_tasks_are_counted_with_one_reason() -> None:
    assert said(**WEIGHTED, guard=GUARD).endswith(
        "1 earlier task is dropped, kmnist: its predictions do not fit what was seen here."
    )
    many = {f"task-{index:03d}": "too far" for index in range(90)}
    assert said(**WEIGHTED, guard=GUARD | {"dropped": many}).endswith(
        "90 earlier tasks are dropped, such as task-000: too far."
    )


def test_dropped_history_is_reported_as_not_used() -> None:
    guard = {"history": "none", "log_evidence": -2.3, "trials": 9, "dropped": {"mnist": "why"}}
    assert said(step="model", sampler="transfer", guard=guard) == (
        "It was proposed by a model of this search's own trials alone, after 9 trials here; "
        "history is not used: the results so far are against history by a factor of 10 "
        "(log evidence -2.3)."
    )


@pytest.mark.parametrize(
    ("origin", "sentence"),
    [
        ({"step": "portfolio", "source_runs": ["r"], "source_tasks": {"mnist": 1.0}},
         "It comes from the portfolio, before any model: it did well on 1 earlier task "
         "(mnist 1.00). Tried before in run r."),
        ({"step": "prior-model", "prior_trials": 12, "sampler": "tpe"},
         "It was proposed by a model fitted to 12 earlier trials of this same task "
         "(tpe)."),
        ({"step": "model"}, "It was proposed by a model of this search's own trials alone."),
        ({"step": "model", "prior_trials": 12, "sampler": "tpe"},
         "It was proposed by a model of this search's own trials and 12 earlier trials of this "
         "same task (tpe)."),
        ({"step": "opening"}, "It belongs to the cold opening: the middle of the space, then "
         "random configurations, until there are results to model."),
        ({"step": "random", "reason": "the sampler repeated itself", "repeated": True},
         "It was drawn at random because the sampler repeated itself. No untried "
         "configuration was left, so it repeats one."),
        ({"step": "control"}, "It belongs to the cold control arm: proposed without history, to "
         "measure what history is worth."),
        ({"step": "given"}, "It was given, not proposed."),
        ({}, "What proposed it is not recorded."),
        ({"step": "raytune"}, "It was proposed by the raytune step."),
    ],
    ids=lambda each: each.get("step", "-") if isinstance(each, dict) else "",
)  # fmt: skip
def test_every_step_has_its_sentence(origin: dict[str, Any], sentence: str) -> None:
    assert said(**origin) == sentence


def test_a_sentence_stays_short_with_a_hundred_tasks_and_runs() -> None:
    tasks = {f"some-task-{index}@ab12cd34": 0.01 for index in range(100)}
    runs = [f"{index:032d}" for index in range(100)]
    text = said(**WEIGHTED | {"source_tasks": tasks, "source_runs": runs}, guard=GUARD)
    assert "weights 100 earlier tasks (" in text and "97 more with 0.97 together" in text
    assert " and 95 more." in text and len(text) < 700


def test_weights_are_ordered_by_size_whatever_their_sign() -> None:
    assert tasks_in_words({"a": 0.1, "b": -0.9}) == "b in reverse 0.90, a 0.10"


@pytest.mark.parametrize(
    ("evidence", "words"),
    [(math.nan, ""), (0.3, "neither for nor against"), (-0.3, "neither"), (50.0, "than 1,000"),
     (math.log(3), "are for history by a factor of 3 "), (-math.log(3), "are against history")],
)  # fmt: skip
def test_evidence_is_a_factor_of_at_least_two(evidence: float, words: str) -> None:
    assert words in evidence_in_words(evidence)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = ("step", "source_runs", "source_tasks", "sampler", "prior_trials", "guard", "repeated",
        "forecast", "risk", "revalidates")  # fmt: skip


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(KEYS), ANYTHING)
    | st.fixed_dictionaries({"guard": st.dictionaries(st.sampled_from(sorted(GUARD)), ANYTHING)})
    | ANYTHING
)
def test_any_record_of_a_store_is_read_described_and_tabulated(record: Any) -> None:
    origin = read_origin(record)
    assert isinstance(origin, Origin) and provenance_text(origin).endswith(".")
    columns = ledger_columns(origin)
    pa.table({name: pa.array([value]) for name, value in columns.items()})
    json.dumps(columns, allow_nan=False)
    assert all(math.isfinite(value) for value in ledger_metrics(origin).values())


def test_characters_that_cannot_be_printed_and_infinite_numbers_are_not_read() -> None:
    record = {"step": "model\x1b[31m\ud800", "source_tasks": {"a": math.nan, "b": 10**400, "c": 1},
              "prior_trials": True, "guard": {"history": "most", "log_evidence": "1"}}  # fmt: skip
    origin = read_origin(record)
    assert origin.step == "model?[31m?" and origin.source_tasks == {"c": 1.0}
    assert origin.prior_trials == 0 and origin.guard is not None
    assert origin.guard.history == "" and math.isnan(origin.guard.log_evidence)


def test_the_numbers_of_the_ledger_are_those_of_the_guard() -> None:
    found = ledger_metrics(read_origin(WEIGHTED | {"guard": GUARD}))
    assert found == {"guard.log_evidence": 3.7, "guard.tasks_dropped": 1.0}
    assert ledger_metrics(read_origin(WEIGHTED)) == {}

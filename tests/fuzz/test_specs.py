"""Any spec is read, and then written and read alike, or refused with key and fix."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search.apply.first_proposals import first_proposals
from search.apply.prior_data import PriorData
from search.space.limits import problem_of
from search.spec import Spec, SpecError, spec_from_yaml
from search.spec.yaml_document import Dumper
from tests.support.fuzzing import anything, fuzzed, scalars
from tests.support.launches import hills, small_digits

pytestmark = pytest.mark.slow

BASES = (
    hills("two_hills", sampler={"name": "warm", "options": {"portfolio": 2}}, seed=3,
          first=[{"x": 0.5}], history={"rename": {"a": "b"}}),
    hills("two_hills", space={
        "kind": {"type": "categorical", "choices": ["a", "b", 3, True]},
        "size": {"type": "int", "low": 1, "high": 64, "log": True, "when": {"kind": ["a", 3]}},
        "share": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.25, "when": {"kind": "b"}},
        "is_on": {"type": "bool"},
    }, sampler={"name": "tpe", "options": {"n_startup_trials": 0}}),
    hills("two_hills", sampler={"name": "gp"}, objectives=[
        {"metric": "left", "direction": "maximize"},
        {"metric": "right", "direction": "minimize", "role": "constraint", "bound": 0.5},
    ], scheduler={"name": "asha", "grace_epochs": 1}),
    small_digits(),
)  # fmt: skip
KEYS = st.sampled_from(
    ["low", "high", "step", "log", "when", "choices", "type", "metric", "role", "bound", "options",
     "epochs", "trials", "hours", "cpus", "name", "x", "nmae", "first", "enabled"]
)  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the path of every value below one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if (
        isinstance(value, list)) else ()  # fmt: skip
    return [each for key, inner in items for each in ((*path, key), *paths(inner, (*path, key)))]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draws a spec with up to three keys changed, added or removed, as text."""
    data = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(paths(data)))
        *above, last = path
        holder = data
        for key in above:
            holder = holder[key]
        what = draw(st.sampled_from(["replace", "replace", "number", "add", "remove"]))
        if what == "remove":
            del holder[last]
        elif what == "add" and isinstance(holder, dict):
            holder[draw(KEYS)] = draw(anything)
        elif what == "number":
            holder[last] = draw(scalars)
        else:
            holder[last] = draw(anything)
        if not data:
            break
    return yaml.dump(data, Dumper=Dumper, allow_unicode=draw(st.booleans()))


def read(text: str) -> Spec | None:
    """Returns the spec of a text; None if it is refused, as it must be."""
    try:
        return spec_from_yaml(text)
    except SpecError as error:
        for problem in error.problems:
            assert problem.message.strip() and problem.file == "spec.yaml"
            assert problem.key or problem.line in (None, 1) or "YAML" in problem.message or (
                problem.line)  # fmt: skip
        assert str(error).startswith("spec.yaml")
        return None


@fuzzed(0.6)
@given(documents())
def test_a_changed_spec_is_read_or_refused(text: str) -> None:
    spec = read(text)
    if spec is None:
        return
    again = spec_from_yaml(spec.to_yaml())
    assert again == spec and again.to_yaml() == spec.to_yaml()
    space, generator = spec.search_space(), np.random.default_rng(0)
    for distribution in space.distributions.values():
        assert not problem_of(distribution)
    for _ in range(3):
        configuration = space.random_configuration(generator)
        assert space.contains(configuration) and space.key(configuration)
        if spec.initial_weights is None and "initial_weights" not in configuration:
            spec.complete(configuration)
    count = min(2, spec.budget.trials)
    for proposal in first_proposals(spec, PriorData(), space, "t@1", count):
        assert space.contains(proposal.configuration), space.problems(proposal.configuration)
        assert "reason" not in proposal.origin


@fuzzed(0.14)
@given(st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(
        ["name", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", "&a", "*a", "!!python/object", "|",
         "'", '"', "#", "1e3", "space", "task", "low", "---", "\t", "? ", "<<", "2024-99-99",
         "\x00"]
    ), max_size=25).map("".join), anything.map(lambda value: yaml.dump(value, Dumper=Dumper)),
))  # fmt: skip
def test_any_text_is_no_spec_and_is_refused(text: str) -> None:
    assert read(text) is None

"""What is said about a warm start is what enters the model, and the reasons are the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from search.apply.first_proposals import sampler_for
from search.apply.prior_data import prior_data
from search.apply.used_history import LESS, NOTHING_COMPLETE, UsedHistory, used_history
from search.history import History
from search.history.provenance import read_origin
from search.history.studies import quiet_study
from search.review import reconcile
from search.spec import Spec, spec_from_yaml
from tests.support.earlier_searches import earlier, together
from tests.support.launches import hills

TASK = "hills@1"


def spec_of(**changes: Any) -> Spec:
    objectives = [{"metric": "accuracy.clean", "direction": "maximize"}]
    return spec_from_yaml(yaml.safe_dump(hills("two_hills", objectives=objectives, **changes)))


def search(name: str, task: str = TASK, trials: int = 10, **changes: Any) -> History:
    """Returns a search whose results an easy model predicts."""
    space = spec_of().search_space()
    tried = [{"x": -2 + 5 * index / trials} for index in range(trials)]
    found = earlier(tried, space, search=name, **{"task": task, **changes})
    return replace(found, searches={name: replace(found.searches[name], task=task)})


def used(history: History, spec: Spec | None = None) -> UsedHistory:
    spec = spec or spec_of()
    found = reconcile(history, spec.search_space(), spec.objectives)
    prior = prior_data(found, spec.search_space(), spec.objectives, task=TASK, similarities={},
                       has_models=spec.sampler.name == "warm")  # fmt: skip
    return used_history(history, found, prior, spec)


FAILED: Mapping[str, Any] = {"state": "failed", "values": []}


def test_a_search_of_which_every_trial_failed_starts_nothing_warm() -> None:
    found = used(together(*(search(f"f{number}", **FAILED) for number in range(5))))
    assert found.searches == {} and set(found.unused.values()) == {NOTHING_COMPLETE}
    assert found.lines() == [
        "starts cold: none of 5 earlier searches can be used",
        "not used: f0, f1 and 3 more, because no trial of it is complete",
    ]


@pytest.mark.slow
def test_each_search_is_used_or_has_the_reason_why_not() -> None:
    history = together(
        search("mine"), search("failed", **FAILED), search("stopped", state="stopped", values=[]),
        search("other", "else@2"), search("running", "else@3", state="running", values=[]),
        search("turned", directions=["minimize"]), search("constant", "noise@1", values=[0.5]),
        search("strange", "else@4", configuration='{"y": 1}'),
        search("stopped-elsewhere", "else@5", state="stopped", values=[]),
    )  # fmt: skip
    found = used(history)
    assert found.searches == {"mine": True, "stopped": True, "other": False}
    assert found.unused == {
        "failed": NOTHING_COMPLETE, "running": NOTHING_COMPLETE,
        "turned": "it was to minimize accuracy.clean, this search is to maximize it",
        "constant": "its results do not predict each other: they look like noise",
        "strange": "it shares no hyperparameter with this search",
        "stopped-elsewhere": NOTHING_COMPLETE,
    }  # fmt: skip
    assert found.lines()[0] == "starts from 3 of 9 earlier searches, 2 of this same task"


def test_a_search_of_many_whose_trials_are_not_kept_is_not_used() -> None:
    first, second = (search(f"s{number}", trials=100) for number in range(2))
    found = used(together(first, search("few", trials=1, values=[0.505]), second))
    assert set(found.searches) == {"s0", "s1"} and found.unused == {"few": LESS}


@pytest.mark.parametrize("name", ["tpe", "gp", "random"])
def test_a_sampler_of_optunas_uses_no_other_search(name: str) -> None:
    found = used(search("mine"), spec_of(sampler={"name": name}))
    assert found == UsedHistory({}, {"mine": f"the {name} sampler uses no history"})


@pytest.mark.slow
def test_optunas_sampler_in_a_warm_search_uses_other_tasks_for_the_portfolio_alone() -> None:
    history = together(search("mine", trials=3), search("other", "else@2"))
    for portfolio, expected in ((4, {"mine", "other"}), (3, {"mine"}), (0, {"mine"})):
        options = {"sampler": "tpe", "portfolio": portfolio}
        found = used(history, spec_of(sampler={"name": "warm", "options": options}))
        assert set(found.searches) == expected


@pytest.mark.slow
def test_the_runs_that_proposals_name_are_of_searches_that_are_used() -> None:
    spec = spec_of(budget={"trials": 12, "epochs": 2})
    history = together(search("mine"), search("other", "else@2"), search("failed", **FAILED))
    found = reconcile(history, spec.search_space(), spec.objectives)
    prior = prior_data(found, spec.search_space(), spec.objectives, task=TASK, similarities={})
    said = used_history(history, found, prior, spec)
    sampler = sampler_for(spec, prior, spec.search_space(), TASK)
    study, named = quiet_study(spec.objectives, sampler), set()
    for number in range(4):
        proposal = sampler.propose(study)
        assert proposal is not None
        named |= {run.rsplit("-", 1)[0] for run in read_origin(proposal.origin).source_runs}
        study.tell(sampler.ask(study, proposal), 0.1 * number)
    assert named and named <= set(said.searches) == {"mine", "other"}

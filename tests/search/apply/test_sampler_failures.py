"""A sampler that raises, or that would take too much memory, costs a proposal and no search."""

from __future__ import annotations

import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from search.apply import WarmStartSampler
from search.apply.first_proposals import first_proposals, sampler_for
from search.apply.optuna_sampler import OptunaSampler
from search.apply.prior_data import PriorData
from search.apply.strategy import Strategy
from search.history.provenance import provenance_text, read_origin
from search.history.studies import quiet_study
from search.optimize.recorder import Recorder
from search.space import SearchSpace
from search.tracking.write.journal import Journal, read_events
from tests.support.asked_searchers import reported, run_to_the_end, searcher_of
from tests.support.plans import a_plan

SAMPLERS = ("warm", "tpe", "gp", "random")


class Broken(RandomSampler):
    """Raises at every second proposal."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.asked = 0

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        self.asked += 1
        if self.asked % 2 == 0:
            raise MemoryError("Unable to allocate 32.0 GiB\nfor an array")
        return super().sample_independent(study, trial, name, distribution)


def test_a_sampler_that_raises_costs_its_proposals_and_not_the_search(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, trials=6)
    searcher = searcher_of(plan, sampler=Broken())
    assert len(run_to_the_end(searcher)) == 6
    origins = [asked.proposal.origin for asked in searcher.asked.values()]
    assert [each.get("reason", "") for each in origins] == 3 * [
        "", "the sampler raised MemoryError: Unable to allocate 32.0 GiB"
    ]  # fmt: skip
    assert all(plan.space.contains(a.proposal.configuration) for a in searcher.asked.values())
    assert provenance_text(read_origin(origins[1])) == (
        "It was drawn at random because the sampler raised MemoryError: Unable to allocate 32.0 "
        "GiB."
    )


def test_that_a_sampler_raises_is_said_once(tmp_path: Path) -> None:
    searcher, journal = searcher_of(a_plan(tmp_path, trials=6), sampler=Broken()), Journal(tmp_path)
    recorder = Recorder(journal, searcher)
    for number in range(6):
        config = searcher.suggest(f"t{number}")
        assert isinstance(config, dict)
        trial = SimpleNamespace(trial_id=f"t{number}", config=config, last_result={})
        recorder.on_trial_start(0, [], trial)
        searcher.end(f"t{number}", reported(3, left=0.5, right=0.5))
    assert not journal.flush(10)
    said = [each.fields["message"] for each in read_events(tmp_path) if each.name == "driver"]
    assert said == [
        "the sampler raised MemoryError: Unable to allocate 32.0 GiB; a random configuration takes "
        "the place of each such proposal"
    ]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_of_a_spec_may_raise(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_(self: Strategy, context: object) -> None:
        raise FloatingPointError

    monkeypatch.setattr(Strategy, "propose", raise_)
    spec = a_plan(tmp_path, sampler={"name": name}).spec
    proposals = first_proposals(spec, PriorData(), spec.search_space(), "hills@1", 3)
    reasons = {each.origin["reason"] for each in proposals}
    assert len(proposals) == 3 and reasons == {"the sampler raised FloatingPointError"}


def test_a_control_trial_whose_proposal_raises_stays_in_its_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_(self: Strategy, context: object) -> None:
        raise FloatingPointError

    monkeypatch.setattr(Strategy, "propose", raise_)
    spec = a_plan(tmp_path, sampler={"name": "warm", "options": {"control": 2}}).spec
    proposals = first_proposals(spec, PriorData(), spec.search_space(), "hills@1", 4)
    assert [each.origin["step"] for each in proposals] == ["random", "control"] * 2


WIDE: dict[str, BaseDistribution] = {
    "32 bits": IntDistribution(0, 2**32 - 1),
    "53 bits": IntDistribution(-(2**53), 2**53),
    "logarithmic": IntDistribution(1, 2**53, log=True),
    "stepped": IntDistribution(0, 2**52, step=2),
    "fine grid": FloatDistribution(0.0, 1.0, step=1e-7),
    "huge": FloatDistribution(-1e150, 1e150),
    "all magnitudes": FloatDistribution(1e-150, 1e150, log=True),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", ["transfer", "tpe", "gp", "random"])
def test_every_sampler_works_in_the_widest_ranges_in_little_memory(name: str) -> None:
    few = ("53 bits", "logarithmic", "fine grid")  # the GP takes a second a hyperparameter
    wide = {each: WIDE[each] for each in few} if name == "gp" else WIDE
    space = SearchSpace({"x": FloatDistribution(0, 1), **wide})
    startup = {"n_startup_trials": 2} if name in ("tpe", "gp") else {}
    sampler = WarmStartSampler(
        None, space, objectives=["loss"], directions=["minimize"], portfolio=0,
        sampler="transfer" if name == "transfer" else OptunaSampler(name, startup),
    )  # fmt: skip
    study = quiet_study(sampler._objectives, sampler)
    generator = np.random.default_rng(0)
    before = _peak()
    for _ in range(5):
        proposal = sampler.propose(study)
        assert proposal is not None and "reason" not in proposal.origin
        assert space.contains(proposal.configuration)
        trial = sampler.ask(study, proposal)
        assert all(trial.params[each] == proposal.configuration[each] for each in trial.params)
        study.tell(trial, float(generator.random()))
    assert _peak() - before < 2**30  # a list of all values would take 32 GiB and more


def _peak() -> int:
    """Returns the largest memory that this process had so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_range_that_floats_cannot_represent_is_refused_in_plain_optuna() -> None:
    space = SearchSpace({"x": IntDistribution(0, 10**20)})
    sampler = WarmStartSampler(None, space, objectives=["loss"], directions=["minimize"])
    with pytest.raises(ValueError, match=r"^x: high = 100000000000000000000 is beyond .*fix: "):
        sampler.propose(quiet_study(sampler._objectives, sampler))


def test_a_budget_of_two_billion_trials_is_no_list(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2**31 - 1))
    config = searcher.suggest("a")
    assert isinstance(config, dict) and config["number"] == 0 and searcher.has_more()


def test_the_sampler_of_a_spec_works_in_every_range_that_the_spec_may_have(tmp_path: Path) -> None:
    space = {"x": {"type": "int", "low": 0, "high": 2**53}}
    spec = a_plan(tmp_path, space=space, sampler={"name": "gp"}).spec
    sampler = sampler_for(spec, PriorData(), spec.search_space(), "hills@1")
    assert sampler.propose(quiet_study(spec.objectives, sampler)) is not None

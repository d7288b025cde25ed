"""WarmStartSampler keeps the contract of samplers, with every method and every history."""

from __future__ import annotations

import optuna
import pytest

from search.apply.sampler import TRANSFER
from tests.contracts import sampler as contracts
from tests.support.samplers import HISTORIES, maker

optuna.logging.set_verbosity(optuna.logging.ERROR)

each_contract = pytest.mark.parametrize(
    "keeps", contracts.SAMPLER_CONTRACT, ids=lambda keeps: keeps.__name__
)
# Together each history and each number of objectives; `make test-all` has all pairs.
IN_EVERY_CHECK = (
    ("cold", 1), ("cold", 2), ("empty", 1), ("one trial", 3), ("one trial of it", 1),
    ("other tasks", 2), ("same task", 1),
)  # fmt: skip


def each_pair(histories, numbers):
    """Pairs of history and number of objectives; those not in `IN_EVERY_CHECK` are `long`."""
    return pytest.mark.parametrize(
        ("history", "objectives"),
        [
            pytest.param(
                history, number,
                marks=() if (history, number) in IN_EVERY_CHECK else pytest.mark.long,
            )
            for history in histories for number in numbers
        ],
    )  # fmt: skip


# An empty history is tested with one objective, and no history at all with each number of them.
each_pair_but_the_empty = each_pair([kind for kind in HISTORIES if kind != "empty"], (1, 2, 3))


@pytest.fixture
def one_thread():
    # The GP's small matrices are several times slower on many threads than on one.
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Our own model, the default.


@each_pair_but_the_empty
@each_contract
def test_the_default_keeps_the_contract(keeps, history, objectives):
    keeps(maker(TRANSFER, history, objectives), objectives)


@each_pair(HISTORIES, (1, 2, 3))
def test_the_default_proposes_distinct_configurations_at_once(history, objectives):
    make = maker(TRANSFER, history, objectives)
    contracts.proposes_distinct_configurations_at_once(make, objectives)


@each_contract
def test_the_default_keeps_the_contract_with_an_empty_history(keeps):
    keeps(maker(TRANSFER, "empty", 1), 1)


@each_pair_but_the_empty
def test_the_default_avoids_infeasible_configurations(history, objectives):
    make = maker(TRANSFER, history, objectives)
    contracts.avoids_infeasible_configurations(make, objectives)


@pytest.mark.slow
@each_contract
def test_the_default_keeps_the_contract_with_a_control_arm(keeps):
    keeps(maker(TRANSFER, "other tasks", control=5), 2)


@pytest.mark.slow
def test_the_default_learns():
    contracts.learns(maker(TRANSFER, objectives=1), maker("random", objectives=1), trials=25)


# One of Optuna's.


@each_pair(("cold", "one trial", "other tasks", "same task"), (1, 2))
@each_contract
def test_tpe_keeps_the_contract(keeps, history, objectives):
    keeps(maker("tpe", history, objectives), objectives)


@pytest.mark.parametrize("history", ["cold", "other tasks", "same task"])
@each_contract
def test_random_keeps_the_contract(keeps, history):
    keeps(maker("random", history), 2)


@pytest.mark.slow
def test_gp_keeps_the_contract_cold(one_thread):
    contracts.same_seed_gives_the_same_search(maker("gp"), 2, trials=13)
    contracts.stays_in_the_space(maker("gp", objectives=1), 1, trials=14)
    contracts.keeps_pending_trials_apart(maker("gp", objectives=1), 1)


@pytest.mark.slow
def test_gp_keeps_the_contract_warm(one_thread):
    contracts.stays_in_the_space(maker("gp", "same task"), 2, trials=2)
    contracts.stays_in_the_space(maker("gp", "other tasks", 1), 1, trials=14)


@pytest.mark.slow
def test_tpe_learns():
    contracts.learns(maker("tpe", objectives=1), maker("random", objectives=1))


# Plain Optuna, without a stated space.


@pytest.mark.parametrize(
    ("name", "history"),
    [
        pytest.param(TRANSFER, "other tasks", marks=pytest.mark.slow),
        pytest.param("tpe", "same task", marks=pytest.mark.slow),
        *(
            pytest.param(*pair, marks=pytest.mark.long)
            for pair in (
                (TRANSFER, "cold"), (TRANSFER, "same task"), ("tpe", "cold"), ("tpe", "other tasks")
            )
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "keeps",
    [
        contracts.same_seed_gives_the_same_search,
        contracts.stays_in_the_space,
        contracts.survives_every_end_of_a_trial,
        contracts.keeps_pending_trials_apart,
    ],
    ids=lambda keeps: keeps.__name__,
)
def test_without_a_stated_space_the_contract_holds_too(keeps, name, history):
    keeps(maker(name, history, space=None), 2)

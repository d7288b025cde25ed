import itertools
import re

import pytest
import torch

from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import configured, prepare, train

QUERY = "bert.encoder.layer.0.attention.self.query"
MATRICES = 8  # 2 layers, 4 projections of the attention


def settings(**values: int | float) -> dict[str, bool | int | float | str]:
    return configured("classification", "adalora", **values)


def kept_values(state: dict[str, torch.Tensor]) -> int:
    values = [state[name] for name in state if re.fullmatch(r"bert\..*lora_E", name)]
    return sum(int((tensor != 0).sum()) for tensor in values)


def test_ranks_shrink_to_the_budget_and_stay_there(bert: LoadedBase) -> None:
    adapted = prepare(bert, settings(adalora__initial_rank=5, adalora__rank=2), steps=20)
    counts = []
    for step in range(1, 21):
        train(adapted, "classification", range(step, step + 1))
        counts.append(kept_values(adapted.state()))
    # Steps 1 and 2 are a tenth of 20: nothing is pruned. From step 14 on the last 30% train what
    # is left: 2 a matrix, wherever they are.
    assert counts[:2] == [5 * MATRICES] * 2
    assert counts[13:] == [2 * MATRICES] * 7
    assert all(later <= earlier for earlier, later in itertools.pairwise(counts))
    kept = [t for n, t in adapted.state().items() if n.startswith("allocation.kept.")]
    assert sum(int(tensor.sum()) for tensor in kept) == 2 * MATRICES


def test_the_penalty_is_the_mean_distance_from_orthogonality(bert: LoadedBase) -> None:
    adapted = prepare(
        bert, settings(adalora__initial_rank=3, adalora__rank=2, adalora__orthogonality=0.25)
    )
    with torch.no_grad():
        for name, weight in adapted.model.named_parameters():
            if "lora_A" in name:
                weight.copy_(torch.eye(3, 16))  # orthonormal rows: no penalty
            if "lora_B" in name:
                weight.copy_(2 * torch.eye(16, 3))  # B'B - I = 3 I, of Frobenius norm sqrt(27)
    penalty = adapted.penalty()
    assert penalty is not None
    assert penalty.item() == pytest.approx(0.25 * (0 + 27**0.5) / 2)


def test_the_update_is_scaled_by_the_hyperparameter(bert: LoadedBase) -> None:
    configuration = settings(adalora__initial_rank=3, adalora__rank=3, adalora__scaling=1.5)
    adapted = prepare(bert, configuration)
    train(adapted, "classification", range(1, 4))
    state = adapted.state()
    p, values, q = (state[f"{QUERY}.lora_{letter}"] for letter in "BEA")
    base = dict(bert.fresh(0, configuration, own_copy=False).named_parameters())
    expected = base[f"{QUERY}.weight"] + 1.5 * p @ torch.diag(values[:, 0]) @ q
    merged = adapted.merged().get_parameter(f"{QUERY}.weight")
    torch.testing.assert_close(merged, expected, rtol=1e-4, atol=1e-5)  # peft divides by r + 1e-5


def test_equal_ranks_prune_nothing(bert: LoadedBase) -> None:
    adapted = prepare(bert, settings(adalora__initial_rank=4, adalora__rank=4), steps=6)
    train(adapted, "classification", range(1, 7))
    assert kept_values(adapted.state()) == 4 * MATRICES
    assert not any(name.startswith("allocation.") for name in adapted.state())


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7])
def test_trainings_of_few_steps_run_through(bert: LoadedBase, steps: int) -> None:
    adapted = prepare(bert, settings(adalora__initial_rank=4, adalora__rank=2), steps=steps)
    train(adapted, "classification", range(1, steps + 1))
    assert kept_values(adapted.state()) == (4 if steps == 1 else 2) * MATRICES


def test_more_rank_at_the_end_than_at_first_is_refused(bert: LoadedBase) -> None:
    with pytest.raises(ValueError, match=r"adalora\.rank \(9\) exceeds .* \(4\)"):
        prepare(bert, settings(adalora__initial_rank=4, adalora__rank=9))

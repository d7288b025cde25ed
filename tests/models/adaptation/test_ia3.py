import torch

from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import configured, prepare, train

LAYER = "bert.encoder.layer.0."


def test_keys_and_values_are_scaled_after_and_the_feed_forward_before_the_projection(
    bert: LoadedBase,
) -> None:
    configuration = configured("classification", "ia3")
    adapted = prepare(bert, configuration)
    train(adapted, "classification", range(1, 4))
    state = adapted.state()
    assert len([name for name in state if name.endswith("ia3_l")]) == 2 * 3
    base = dict(bert.fresh(0, configuration, own_copy=False).named_parameters())
    merged = adapted.merged()
    for name in (f"{LAYER}attention.self.key", f"{LAYER}attention.self.value"):
        vector = state[f"{name}.ia3_l"].flatten()
        expected = vector[:, None] * base[f"{name}.weight"]
        torch.testing.assert_close(merged.get_parameter(f"{name}.weight"), expected)
        torch.testing.assert_close(
            merged.get_parameter(f"{name}.bias"), vector * base[f"{name}.bias"]
        )
    name = f"{LAYER}output.dense"
    vector = state[f"{name}.ia3_l"].flatten()
    assert vector.shape == (32,)  # the width within the feed-forward network
    expected = base[f"{name}.weight"] * vector[None, :]
    torch.testing.assert_close(merged.get_parameter(f"{name}.weight"), expected)
    assert torch.equal(merged.get_parameter(f"{name}.bias"), base[f"{name}.bias"])


def test_it_is_not_drawn_to_zero(bert: LoadedBase) -> None:
    adapted = prepare(bert, configured("classification", "ia3"))
    decayed = [p for g in adapted.parameter_groups(0.1) if g["weight_decay"] for p in g["params"]]
    assert [tuple(weight.shape) for weight in decayed] == [(3, 16)]  # the head's matrix alone

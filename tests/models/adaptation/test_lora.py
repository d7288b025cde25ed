import torch

from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import configured, prepare, train

QUERY = "bert.encoder.layer.0.attention.self.query"


def test_the_update_is_scaling_times_b_a(bert: LoadedBase) -> None:
    configuration = configured("classification", "lora", lora__rank=3, lora__scaling=1.5)
    adapted = prepare(bert, configuration)
    train(adapted, "classification", range(1, 4))
    state = adapted.state()
    a, b = state[f"{QUERY}.lora_A.weight"], state[f"{QUERY}.lora_B.weight"]
    assert (a.shape, b.shape) == ((3, 16), (16, 3))
    base = dict(bert.fresh(0, configuration, own_copy=False).named_parameters())
    expected = base[f"{QUERY}.weight"] + 1.5 * b @ a
    merged = adapted.merged().get_parameter(f"{QUERY}.weight")
    torch.testing.assert_close(merged, expected)


def test_modules_are_those_of_the_attention_or_of_the_feed_forward_network_as_well(
    bert: LoadedBase,
) -> None:
    def wrapped(modules: str) -> set[str]:
        configuration = configured("classification", "lora", lora__modules=modules)
        state = prepare(bert, configuration).state()
        return {n.removesuffix(".lora_A.weight") for n in state if n.endswith("lora_A.weight")}

    layers = [f"bert.encoder.layer.{layer}." for layer in (0, 1)]
    attention = ["self.query", "self.key", "self.value", "output.dense"]
    expected = {f"{layer}attention.{name}" for layer in layers for name in attention}
    assert wrapped("attention") == expected
    expected |= {f"{layer}{name}.dense" for layer in layers for name in ("intermediate", "output")}
    assert wrapped("attention_and_mlp") == expected


def test_trainable_numbers_are_counted_by_hand(bert: LoadedBase) -> None:
    adapted = prepare(bert, configured("classification", "lora", lora__rank=4))
    # 2 layers, 4 matrices of 16x16, each two factors of 4x16; the head 3x16 and 3.
    assert adapted.trainable_parameters == 2 * 4 * 2 * 4 * 16 + 3 * 16 + 3


def test_its_dropout_is_its_own(bert: LoadedBase) -> None:
    configuration = configured("classification", "lora") | {"dropout": 0.2, "lora.dropout": 0.4}
    model = prepare(bert, configuration).model
    shares = {name: module.p for name, module in model.named_modules() if hasattr(module, "p")}
    assert {share for name, share in shares.items() if "lora_dropout" in name} == {0.4}
    assert {share for name, share in shares.items() if "lora_dropout" not in name} == {0.2}

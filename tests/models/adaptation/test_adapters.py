import torch
from torch.nn import functional

from models.adaptation.adapters import Bottleneck
from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import batch, configured, prepare, train


def test_a_bottleneck_adds_what_passes_through_it() -> None:
    bottleneck = Bottleneck(2, 1)
    with torch.no_grad():
        bottleneck.down.weight.copy_(torch.tensor([[1.0, 2.0]]))
        bottleneck.down.bias.copy_(torch.tensor([-4.0]))
        bottleneck.up.weight.copy_(torch.tensor([[3.0], [0.0]]))
        bottleneck.up.bias.copy_(torch.tensor([0.0, 0.5]))
    # 1*2 + 2*1 - 4 = 0, and gelu(0) = 0: only the bias is added.
    assert bottleneck(torch.tensor([2.0, 1.0])).tolist() == [2.0, 1.5]
    # 1*2 + 2*2 - 4 = 2; three times gelu(2) on the first feature.
    inner = 2 * 0.5 * (1 + torch.erf(torch.tensor(2.0) / 2**0.5))
    expected = torch.tensor([2 + 3 * float(inner), 2.5])
    torch.testing.assert_close(bottleneck(torch.tensor([2.0, 2.0])), expected)


def test_its_size_is_counted_by_hand(bert: LoadedBase) -> None:
    adapted = prepare(bert, configured("classification", "adapters", adapters__width=5))
    bottleneck = 16 * 5 + 5 + 5 * 16 + 16
    norm = 2 * 16
    assert adapted.trainable_parameters == 2 * 2 * (bottleneck + norm) + 3 * 16 + 3


def test_each_sub_layer_passes_through_its_adapter_before_the_residual(bert: LoadedBase) -> None:
    configuration = configured("classification", "adapters", adapters__width=5)
    adapted = prepare(bert, configuration)
    train(adapted, "classification", range(1, 4))
    model = adapted.model.eval()
    layer = model.bert.encoder.layer[0]
    seen: dict[str, torch.Tensor] = {}
    layer.output.LayerNorm.register_forward_pre_hook(
        lambda module, inputs: seen.update(sum=inputs[0])
    )
    layer.output.dense.register_forward_pre_hook(
        lambda module, inputs: seen.update(inner=inputs[0])
    )
    layer.intermediate.dense.register_forward_pre_hook(
        lambda module, inputs: seen.update(residual=inputs[0])
    )
    with torch.no_grad():
        model(**batch("classification"))
        dense = layer.output.dense
        projected = functional.linear(seen["inner"], dense.weight, dense.bias)
        changed = projected + dense.adapter.up(functional.gelu(dense.adapter.down(projected)))
    torch.testing.assert_close(seen["sum"], changed + seen["residual"])


def test_norms_of_the_layers_are_its_own(bert: LoadedBase) -> None:
    configuration = configured("classification", "adapters")
    one = prepare(bert, configuration).model.bert
    other = prepare(bert, configuration).model.bert
    assert one.embeddings.LayerNorm.weight is other.embeddings.LayerNorm.weight
    norms = [model.encoder.layer[0].output.LayerNorm.weight for model in (one, other)]
    assert norms[0] is not norms[1] and torch.equal(*norms)

"""What the methods of adversarial training show, minimise, and count; all but free training."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.adversarial.pixels.training import craft, kl_divergence, losses, passes
from models.catalog import complete
from models.networks.cnn import CNN
from tests.support.tiny_classifiers import Through

IMAGES = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 10
METHODS = ("fgsm", "pgd", "trades", "mart")


def model() -> CNN:
    torch.manual_seed(0)
    configuration = complete("cnn", {"width": 4, "dropout": 0.5, "normalisation": "batch"})
    return CNN(configuration, (1, 8, 8), 10).train()


def crafted(norm: Any = "linf", net: nn.Module | None = None, **values: Any) -> Tensor:
    named = {name.replace("__", "."): value for name, value in values.items()}
    generator = torch.Generator().manual_seed(0)
    configuration = complete("cnn", named)
    return craft(model() if net is None else net, IMAGES, LABELS, configuration, norm, generator)


@pytest.mark.parametrize("method", ["none", "free"])
def test_without_an_attack_of_its_own_the_images_are_untouched(method: str) -> None:
    assert crafted(adversarial_training=method) is IMAGES


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_crafted_images_lie_in_the_ball_of_the_configuration(method: str, norm: str) -> None:
    images = crafted(norm, adversarial_training=method, **{f"{method}__epsilon": 0.2})
    delta = (images - IMAGES).flatten(1)
    sizes = delta.abs().amax(1) if norm == "linf" else delta.norm(dim=1)
    assert (sizes <= 0.2 * (1 + 1e-5)).all()
    assert (sizes > 0.1).all()  # and near its border, where an attack ends
    assert images.min() >= 0 and images.max() <= 1 and images.dtype == torch.float32


@pytest.mark.parametrize("method", METHODS)
def test_the_generator_alone_decides_what_is_crafted(method: str) -> None:
    first = crafted(adversarial_training=method)
    torch.manual_seed(9)
    assert torch.equal(first, crafted(adversarial_training=method))


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_the_share_says_how_much_of_the_batch_is_attacked(method: str) -> None:
    images = crafted(adversarial_training=method, adversarial_share=0.3)
    changed = (images != IMAGES).flatten(1).any(1)
    assert changed.tolist() == [True] * 6 + [False] * 14


@pytest.mark.parametrize("method", ["fgsm", "pgd", "mart"])
def test_crafting_raises_the_loss(method: str) -> None:
    net = model().eval()
    loss = torch.nn.CrossEntropyLoss()
    assert loss(net(crafted(adversarial_training=method)), LABELS) > loss(net(IMAGES), LABELS)


def test_trades_climbs_the_divergence_whatever_the_labels_say() -> None:
    net = model().eval()
    images = crafted(adversarial_training="trades")
    start = IMAGES + 0.001 * torch.randn_like(IMAGES)
    reached, before = (kl_divergence(net(IMAGES), net(each)) for each in (images, start))
    assert (reached > 10 * before).all()
    generator = torch.Generator().manual_seed(0)
    configuration = complete("cnn", {"adversarial_training": "trades"})
    others = craft(model(), IMAGES, LABELS.flip(0), configuration, "linf", generator)
    assert torch.equal(others, images)


@pytest.mark.parametrize("method", METHODS)
def test_crafting_in_eval_mode_leaves_the_model_as_it_was(method: str) -> None:
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    crafted(net=net, adversarial_training=method)
    assert net.training and all(p.grad is None for p in net.parameters())
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("method", METHODS)
def test_crafting_in_train_mode_uses_the_batch_statistics(method: str) -> None:
    net = model()
    crafted(net=net, adversarial_training=method, crafting_mode="train")
    assert net.training and net.features[1].num_batches_tracked > 0
    evaluated = model().eval()
    crafted(net=evaluated, adversarial_training=method, crafting_mode="train")
    assert not evaluated.training  # a model that does not train is not made to


class Frozen(nn.Module):
    """A network in training with a part that its author holds in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.trained = model(), 0
        self.network.features[1].eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)

    def train(self, mode: bool = True) -> "Frozen":
        self.trained += mode
        return super().train(mode)


def modes(net: nn.Module) -> list[bool]:
    return [module.training for module in net.modules()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_every_module_has_its_own_mode_after_crafting(method: str, mode: str) -> None:
    net = Frozen()
    before, norms = modes(net), list(net.network.features)[1]
    assert True in before and False in before
    crafted(net=net, adversarial_training=method, crafting_mode=mode)
    assert modes(net) == before
    assert norms.num_batches_tracked == 0  # what is held in eval mode is in both


def test_the_modes_come_back_after_an_error_too() -> None:
    net = Through(Tensor.detach, model())
    net.model.features[1].eval()
    before = modes(net)
    with pytest.raises(FloatingPointError):
        crafted(net=net, adversarial_training="pgd")
    assert modes(net) == before


def test_a_networks_own_train_is_called_after_crafting_in_eval_mode() -> None:
    """It may undo what its `eval` did, as code that merges low-rank updates for inference."""
    net = Frozen()
    crafted(net=net, adversarial_training="pgd")
    assert net.trained == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_crafting_mode_says_which_statistics_the_attack_sees(method: str) -> None:
    """In eval mode those of the model in eval mode, so a batch's other images do not matter."""

    def undropped() -> CNN:
        torch.manual_seed(0)
        values = complete("cnn", {"width": 4, "normalisation": "batch"})
        return CNN(values, (1, 8, 8), 10).train()

    evaluated = crafted(net=undropped(), adversarial_training=method)
    assert torch.equal(evaluated, crafted(net=undropped().eval(), adversarial_training=method))
    in_train = crafted(net=undropped(), adversarial_training=method, crafting_mode="train")
    assert not torch.equal(evaluated, in_train)


# Two pixels, three classes: logits are W x, small enough to work out each formula in plain Python.
WEIGHTS = torch.tensor([[1.0, -2.0], [0.5, 0.3], [-1.0, 1.5]])
CLEAN = torch.tensor([[0.2, 0.9], [0.7, 0.1]]).reshape(2, 1, 1, 2)
ATTACKED = torch.tensor([[0.4, 0.6], [0.5, 0.3]]).reshape(2, 1, 1, 2)
TRUTH = torch.tensor([2, 0])


class Linear(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ WEIGHTS.T


def probabilities(images: Tensor) -> list[list[float]]:
    """Softmax of W x in double precision, by its definition."""
    rows = []
    for x in images.flatten(1).double():
        powers = (WEIGHTS.double() @ x).exp()
        rows.append((powers / powers.sum()).tolist())
    return rows


def found(method: str, **values: Any) -> Tensor:
    given = {name.replace("__", "."): value for name, value in values.items()}
    configuration = complete("cnn", {"adversarial_training": method, **given})
    return losses(Linear(), CLEAN, ATTACKED, TRUTH, configuration)


def ln(value: float) -> float:
    return float(torch.tensor(value, dtype=torch.float64).log())


@pytest.mark.parametrize("method", ["none", "fgsm", "pgd", "free"])
def test_plain_methods_minimise_the_cross_entropy_of_what_is_shown(method: str) -> None:
    expected = [-ln(p[y]) for p, y in zip(probabilities(ATTACKED), TRUTH.tolist(), strict=True)]
    assert found(method).tolist() == pytest.approx(expected, rel=1e-5)


def test_trades_is_the_clean_cross_entropy_and_beta_times_the_divergence() -> None:
    expected = []
    for p, q, y in zip(probabilities(CLEAN), probabilities(ATTACKED), TRUTH.tolist(), strict=True):
        divergence = sum(a * (ln(a) - ln(b)) for a, b in zip(p, q, strict=True))
        expected.append(-ln(p[y]) + 4.0 * divergence)
    assert found("trades", trades__beta=4.0).tolist() == pytest.approx(expected, rel=1e-4)


def test_mart_weighs_the_divergence_by_the_error_on_the_clean_image() -> None:
    expected = []
    for p, q, y in zip(probabilities(CLEAN), probabilities(ATTACKED), TRUTH.tolist(), strict=True):
        divergence = sum(a * (ln(a) - ln(b)) for a, b in zip(p, q, strict=True))
        wrong = max(value for k, value in enumerate(q) if k != y)
        boosted = -ln(q[y]) - ln(1 - wrong)
        expected.append(boosted + 5.0 * divergence * (1 - p[y]))
    assert found("mart", mart__beta=5.0).tolist() == pytest.approx(expected, rel=1e-4)


def test_marts_loss_and_gradient_stay_finite_where_the_model_is_sure_and_wrong() -> None:
    class Sure(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 500.0 * images.flatten(1) @ WEIGHTS.T

    images = ATTACKED.clone().requires_grad_()
    configuration = complete("cnn", {"adversarial_training": "mart"})
    loss = losses(Sure(), CLEAN, images, torch.tensor([0, 2]), configuration)
    (gradient,) = torch.autograd.grad(loss.sum(), images)
    assert torch.isfinite(loss).all() and torch.isfinite(gradient).all()


def test_losses_are_float32_where_the_model_computes_in_less() -> None:
    class Half(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return Linear()(images).to(torch.bfloat16)

    for method in ("none", "trades", "mart"):
        configuration = complete("cnn", {"adversarial_training": method})
        loss = losses(Half(), CLEAN, ATTACKED, TRUTH, configuration)
        assert loss.dtype == torch.float32 and loss.shape == (2,)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"adversarial_training": "none"}, 1.0),
        ({"adversarial_training": "fgsm"}, 2.0),
        ({"adversarial_training": "pgd", "pgd.steps": 5}, 6.0),
        ({"adversarial_training": "pgd", "pgd.steps": 5, "adversarial_share": 0.5}, 3.5),
        ({"adversarial_training": "trades", "trades.steps": 5}, 7.0),
        ({"adversarial_training": "mart", "mart.steps": 5}, 7.0),
        ({"adversarial_training": "free", "free.replays": 3}, 3.0),
    ],
)
def test_passes_are_those_forward_and_backward(values: dict[str, Any], count: float) -> None:
    assert passes(complete("cnn", values)) == count


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_that_is_not_finite_ends_adversarial_training(method: str, norm: str) -> None:
    """Clean images would be shown in its place, and nobody would know."""

    def near_black(images: Tensor) -> Tensor:
        return images + 0 * torch.sqrt(0 * images)

    with pytest.raises(FloatingPointError, match=r"not finite for 20 of 20 images.*fix: "):
        crafted(norm, Through(near_black, model()), adversarial_training=method)


@pytest.mark.parametrize("method", METHODS)
def test_without_any_gradient_adversarial_training_has_failed(method: str) -> None:
    with pytest.raises(FloatingPointError, match="no gradient of the loss reaches the pixels"):
        crafted("linf", Through(Tensor.detach, model()), adversarial_training=method)


def test_a_loss_that_is_not_finite_is_left_to_the_training_that_diverges() -> None:
    diverged = Through(lambda images: images * torch.nan, model())
    images = crafted("l2", diverged, adversarial_training="pgd")
    assert bool(torch.isfinite(images).all())

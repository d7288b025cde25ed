"""On a bag of embeddings, logit = sum over real tokens of w (e + delta), all is known by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.adversarial.embeddings.training import adversarial_step

UNIT = 2.0
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])  # five real tokens
EMBEDDINGS = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
METHODS: dict[str, dict[str, float]] = {
    "none": {},
    "fgm": {"epsilon": 0.5},
    "pgd": {"epsilon": 0.5, "steps": 3, "step_size": 0.2},
    "freelb": {"epsilon": 0.5, "steps": 3, "step_size": 0.3, "initial": 0.1},
    "smart": {"weight": 2.0, "epsilon": 0.5, "steps": 2, "step_size": 0.4},
}


class Bag:
    """Two classes with logits (z, 0); remembers the perturbations it met."""

    def __init__(self) -> None:
        self.weight = torch.tensor([1.0, -2.0, 0.5, 1.5], requires_grad=True)
        self.met: list[Tensor | None] = []
        self.backwards = 0

    def forward(self, delta: Tensor | None) -> Tensor:
        self.met.append(None if delta is None else delta.detach().clone())
        embeddings = EMBEDDINGS if delta is None else EMBEDDINGS + delta
        z = ((embeddings @ self.weight) * MASK).sum(1)
        return torch.stack([z, torch.zeros_like(z)], dim=1)

    def backward(self, value: Tensor) -> None:
        self.backwards += 1
        torch.autograd.backward(value)


def linear_loss(logits: Tensor) -> Tensor:
    return -logits[:, 0].sum()


def log_loss(logits: Tensor) -> Tensor:
    return -torch.log_softmax(logits, 1)[:, 0].mean()


def divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    one, other = torch.log_softmax(ours, 1), torch.log_softmax(theirs, 1)
    return ((one.exp() - other.exp()) * (one - other)).sum(1).mean()


def step(
    bag: Bag, method: str, loss: Callable[[Tensor], Tensor] = linear_loss, **values: float
) -> Tensor:
    named = {
        f"{method}.{name}": value for name, value in (METHODS.get(method, {}) | values).items()
    }
    return adversarial_step(
        bag.forward, loss, divergence, torch.zeros(2, 3, 4), MASK,
        {"adversarial_training": method, **named}, UNIT, torch.Generator().manual_seed(1),
        bag.backward,
    )  # fmt: skip


def clean_gradient() -> Tensor:
    """Of the linear loss by the weight: minus the sum of real embeddings."""
    return -(EMBEDDINGS * MASK[..., None]).sum((0, 1))


def direction(bag: Bag) -> Tensor:
    """The loss rises fastest against the weight."""
    return -bag.weight.detach() / bag.weight.detach().norm()


def test_without_adversarial_training_the_loss_is_the_clean_one() -> None:
    bag = Bag()
    value = step(bag, "none")
    assert bag.met == [None] and bag.backwards == 1 and not value.requires_grad
    torch.testing.assert_close(bag.weight.grad, clean_gradient())


def test_fgm_moves_every_real_token_by_epsilon_against_the_weight() -> None:
    bag, clean = Bag(), linear_loss(Bag().forward(None)).detach()
    value = step(bag, "fgm")
    # Radius 0.5 * 2 = 1 at each of five tokens; half the clean loss, half the attacked.
    torch.testing.assert_close(value, clean + 5 * bag.weight.detach().norm() / 2)
    torch.testing.assert_close(bag.met[-1], MASK[..., None] * direction(bag))
    torch.testing.assert_close(bag.weight.grad, clean_gradient() - 5 * direction(bag) / 2)
    assert len(bag.met) == 2


@pytest.mark.parametrize(("steps", "step_size"), [(1, 0.5), (3, 0.5), (4, 0.2), (1, 9.0)])
def test_pgd_that_reaches_the_border_equals_fgm_on_a_linear_loss(
    steps: int, step_size: float
) -> None:
    ours, fgm = Bag(), Bag()
    value = step(ours, "pgd", steps=steps, step_size=step_size)
    torch.testing.assert_close(value, step(fgm, "fgm"))
    torch.testing.assert_close(ours.weight.grad, fgm.weight.grad)
    assert len(ours.met) == steps + 1  # the clean pass gives the first gradient


def test_freelb_averages_the_gradients_along_the_ascent() -> None:
    bag = Bag()
    value = step(bag, "freelb", initial=0.0)
    # From zero by 0.3 * 2 a step, up to 0.5 * 2: the points 0, 0.6 and 1 have mean 1.6 / 3.
    mean = 1.6 / 3 * direction(bag)
    torch.testing.assert_close(bag.weight.grad, clean_gradient() - 5 * mean)
    clean = linear_loss(Bag().forward(None)).detach()
    torch.testing.assert_close(value, clean + 5 * 1.6 / 3 * bag.weight.detach().norm())
    assert bag.backwards == 3 and len(bag.met) == 3


def test_freelb_starts_at_random_within_its_initial_size() -> None:
    bag = Bag()
    step(bag, "freelb")
    start = bag.met[0]
    assert start is not None
    sizes = start.norm(dim=-1)[MASK.bool()]
    assert (sizes > 0).all() and (sizes <= 0.1 * UNIT).all()
    expected = clean_gradient() - sum(d.sum((0, 1)) for d in bag.met if d is not None) / 3
    torch.testing.assert_close(bag.weight.grad, expected)


def test_smart_adds_the_weighted_divergence_at_the_noise_it_found() -> None:
    bag = Bag()
    value = step(bag, "smart", log_loss)
    assert bag.backwards == 1 and bag.met[0] is None and len(bag.met) == 1 + 2 + 1
    again = Bag()
    clean, noisy = again.forward(None), again.forward(bag.met[-1])
    expected = log_loss(clean) + 2.0 * divergence(noisy, clean)
    torch.testing.assert_close(value, expected.detach())
    (gradient,) = torch.autograd.grad(expected, again.weight)
    # The attack itself left nothing in the parameter.
    torch.testing.assert_close(bag.weight.grad, gradient)


def test_smart_ascends_along_the_weight() -> None:
    bag = Bag()
    step(bag, "smart", log_loss, steps=10, step_size=1.0)
    found = bag.met[-1]
    assert found is not None
    for row in range(2):
        for token in range(3):
            if MASK[row, token]:
                # The divergence grows with the distance in z, whichever way.
                assert abs(found[row, token] @ direction(bag)) == pytest.approx(1.0, abs=1e-4)


def test_smart_of_a_model_that_ignores_the_noise_is_the_clean_loss() -> None:
    parameter = torch.tensor([1.0, 2.0], requires_grad=True)
    configuration = {"adversarial_training": "smart"} | {
        f"smart.{name}": value for name, value in METHODS["smart"].items()
    }
    value = adversarial_step(
        lambda delta: parameter.expand(2, 2), log_loss, divergence, torch.zeros(2, 3, 4), MASK,
        configuration, UNIT, torch.Generator().manual_seed(0), torch.autograd.backward,
    )  # fmt: skip
    torch.testing.assert_close(value, log_loss(parameter.detach().expand(2, 2)))


@pytest.mark.parametrize("method", ["fgm", "pgd", "freelb", "smart"])
@pytest.mark.parametrize("loss", [linear_loss, log_loss])
def test_perturbations_keep_their_ball_and_spare_padding(method: str, loss) -> None:
    bag = Bag()
    step(bag, method, loss)
    met = [delta for delta in bag.met if delta is not None]
    assert met
    for delta in met:
        assert delta.norm(dim=-1).max() <= 0.5 * UNIT * (1 + 1e-6)
        assert delta[~MASK.bool()].abs().max() == 0


@pytest.mark.parametrize("method", list(METHODS))
def test_a_step_adds_to_the_gradients_and_is_seeded(method: str) -> None:
    once, twice = Bag(), Bag()
    step(once, method, log_loss)
    first = step(twice, method, log_loss)
    assert torch.equal(first, step(twice, method, log_loss))
    assert once.weight.grad is not None
    torch.testing.assert_close(twice.weight.grad, 2 * once.weight.grad)


@pytest.mark.parametrize("method", ["fgm", "pgd", "freelb"])
def test_the_perturbations_do_not_depend_on_the_scale_of_the_loss(method: str) -> None:
    plain, scaled = Bag(), Bag()
    step(plain, method, log_loss)
    step(scaled, method, lambda logits: 1e-12 * log_loss(logits))
    for ours, theirs in zip(plain.met, scaled.met, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown adversarial_training 'fgsm'"):
        step(Bag(), "fgsm")

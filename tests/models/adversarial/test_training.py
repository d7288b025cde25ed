import pytest
import torch

from models.adversarial.training import craft
from models.catalog import complete
from models.cnn import CNN

IMAGES = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(20) % 10


def model() -> CNN:
    torch.manual_seed(0)
    return CNN({"width": 4, "dropout": 0.5, "normalisation": "batch"}, (1, 8, 8), 10).train()


def crafted(norm: str = "linf", **values: object) -> torch.Tensor:
    named = {name.replace("__", "."): value for name, value in values.items()}
    generator = torch.Generator().manual_seed(0)
    return craft(model(), IMAGES, LABELS, complete("cnn", named), norm, generator)


def test_without_adversarial_training_the_images_are_untouched() -> None:
    assert crafted(adversarial_training="none") is IMAGES


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_crafted_images_lie_in_the_ball_of_the_configuration(method: str, norm: str) -> None:
    images = crafted(norm, adversarial_training=method, **{f"{method}__epsilon": 0.2})
    delta = (images - IMAGES).flatten(1)
    sizes = delta.abs().amax(1) if norm == "linf" else delta.norm(dim=1)
    assert (sizes <= 0.2 * (1 + 1e-5)).all()
    assert (sizes > 0.1).all()  # and near its border, where an attack ends
    assert images.min() >= 0 and images.max() <= 1


def test_the_share_says_how_much_of_the_batch_is_attacked() -> None:
    images = crafted(adversarial_training="fgsm", adversarial_share=0.3)
    changed = (images != IMAGES).flatten(1).any(1)
    assert changed.tolist() == [True] * 6 + [False] * 14


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_crafting_raises_the_loss(method: str) -> None:
    net = model().eval()
    loss = torch.nn.CrossEntropyLoss()
    assert loss(net(crafted(adversarial_training=method)), LABELS) > loss(net(IMAGES), LABELS)


def test_crafting_leaves_the_model_as_it_was() -> None:
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    configuration = complete("cnn", {"adversarial_training": "pgd"})
    craft(net, IMAGES, LABELS, configuration, "linf", torch.Generator().manual_seed(0))
    assert net.training and all(p.grad is None for p in net.parameters())
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)

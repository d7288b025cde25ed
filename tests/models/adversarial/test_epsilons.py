import pytest

from models.adversarial.epsilons import default_epsilon


@pytest.mark.parametrize(
    ("name", "linf", "l2"),
    [
        ("digits", 0.1, 0.2),
        ("/data/mnist_10k", 0.3, 2.0),
        ("ylecun/mnist", 0.3, 2.0),
        ("MNIST", 0.3, 2.0),
        ("zalando-datasets/fashion_mnist", 0.1, 0.7),
        ("FashionMNIST", 0.1, 0.7),
        ("/data/fashion", 0.1, 0.7),
        ("kmnist_t10k/", 0.3, 2.0),
        ("C:\\data\\kuzushiji-mnist", 0.3, 2.0),
        ("uoft-cs/cifar10", 8 / 255, 0.5),
        ("CIFAR-10", 8 / 255, 0.5),
    ],
)
def test_known_images_have_the_fields_epsilon(name: str, linf: float, l2: float) -> None:
    assert default_epsilon(name, "linf") == linf
    assert default_epsilon(name, "l2") == l2


@pytest.mark.parametrize(
    "name", ["", "leaves", "uoft-cs/cifar100", "emnist", "my_digits", "/mnist/leaves", "notmnist"]
)
def test_other_images_have_none(name: str) -> None:
    assert default_epsilon(name, "linf") is None and default_epsilon(name, "l2") is None


def test_in_l2_pooled_images_have_a_smaller_ball() -> None:
    assert default_epsilon("mnist", "l2", image_size=14) == 1.0
    assert default_epsilon("mnist", "linf", image_size=14) == 0.3

"""The epsilons that the literature uses for known data sets of images.

They are the defaults of a spec that sets no epsilon; other data sets have none. Imports no torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class _Known:
    """Radii on the pixel scale [0, 1] for images of native height `side`."""

    name: re.Pattern[str]
    side: int
    linf: float
    l2: float


# L-infinity: 8/255 on CIFAR-10 and 0.3 on MNIST are from AutoAttack's tables (the README of
# github.com/fra31/auto-attack). 28 % of Fashion-MNIST's pixels lie within 0.3 of mid grey, but 6 %
# of MNIST's and 11 % of KMNIST's (the training images of our 10k sets). Where a threshold undoes a
# perturbation of 0.3 the image stays recognisable: 0.3 on KMNIST, but 0.1 on Fashion-MNIST. On
# digits a plainly trained network keeps about half of its accuracy at 0.1.
# L2: 0.5 on CIFAR-10 is RobustBench's, 0.29 of the L2 norm of +-8/255 in each of 3072 pixels. The
# others follow that ratio, about a quarter of epsilon times the root of the number of pixels: 0.2
# of 0.8 on digits, 2.0 of 8.4 on MNIST, 0.7 of 2.8 on Fashion.
_KNOWN = (
    _Known(re.compile(r"^digits$"), side=8, linf=0.1, l2=0.2),
    _Known(re.compile(r"(?<![a-z])(kmnist|kuzushiji)"), side=28, linf=0.3, l2=2.0),
    _Known(re.compile(r"(?<![a-z])fashion"), side=28, linf=0.1, l2=0.7),
    _Known(re.compile(r"(?<![a-z])mnist"), side=28, linf=0.3, l2=2.0),
    _Known(re.compile(r"(?<![a-z])cifar[-_]?10(?!\d)"), side=32, linf=8 / 255, l2=0.5),
)


def default_epsilon(
    name: str, norm: Literal["linf", "l2"], image_size: int | None = None
) -> float | None:
    """Return the usual epsilon of a data set; None if the data set is unknown.

    Args:
        name: `digits`, a folder or a hub data set; it is enough that its last part contains the
            name of a known set: `fashion_mnist_10k`, `ylecun/mnist`.
        norm: norm of the ball.
        image_size: height that images are pooled down to; None: native. The L2 epsilon is
            scaled with it, as the norm of a uniform perturbation is.
    """
    short = name.rstrip("/\\").replace("\\", "/").rpartition("/")[2].lower()
    for known in _KNOWN:
        if known.name.search(short):
            if norm == "linf":
                return known.linf
            return known.l2 if image_size is None else known.l2 * image_size / known.side
    return None

"""A conditional space and a configuration of it."""

from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.space import SearchSpace

SPACE = SearchSpace(
    {
        "sgd.nesterov": CategoricalDistribution((False, True)),
        "sgd.learning_rate": FloatDistribution(1e-3, 0.3, log=True),
        "adamw.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "optimizer": CategoricalDistribution(("sgd", "adamw")),
        "nesterov.delay": IntDistribution(1, 9, step=2),
        "width": IntDistribution(16, 256, log=True),
        "dropout": FloatDistribution(0.0, 0.5, step=0.1),
        "batch_size": CategoricalDistribution((32, 64, 128)),
    },
    {
        "sgd.learning_rate": {"optimizer": ("sgd",)},
        "sgd.nesterov": {"optimizer": ("sgd",)},
        "nesterov.delay": {"sgd.nesterov": (True,)},
        "adamw.learning_rate": {"optimizer": ("adamw",)},
    },
)
ADAMW = {
    "optimizer": "adamw",
    "adamw.learning_rate": 0.001,
    "width": 64,
    "dropout": 0.3,
    "batch_size": 64,
}
SEEDS = st.integers(0, 2**32 - 1)

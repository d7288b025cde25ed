"""Names of the metrics of what a model and its training cost; smaller is better but for throughput.

Imports no torch. The costs of a model are measured in `models/training/costs.py`, those of the
epochs of a training by the trial (`search/optimize/trainable.py`).
"""

from __future__ import annotations

from models.scores.metric_names import MetricName

PARAMETERS = "parameters.total"
TRAINABLE = "parameters.trainable"
DISK = "disk.model_mb"
LATENCY = "latency.ms"
LATENCY_SPREAD = "latency.spread"
THROUGHPUT = "throughput.per_second"
EXAMPLE_WORK = "work.example"
# Those of a model, in the order of `models.training.costs.model_costs`.
MODEL_COSTS = (
    PARAMETERS, TRAINABLE, DISK, EXAMPLE_WORK, LATENCY, LATENCY_SPREAD, THROUGHPUT
)  # fmt: skip

# Of a trial's epochs so far: by the clock, of all cores, of its GPUs.
SECONDS_SO_FAR = "seconds.total"
CPU_SECONDS = "seconds.cpu"
GPU_SECONDS = "seconds.gpu"

# What these measure is no score of a model.
COST_MEASURES = (
    "parameters", "disk", "latency", "throughput", "seconds", "work", "memory", "gradients"
)  # fmt: skip
_MINIMIZED = (*COST_MEASURES, "loss", "perplexity")  # but for throughput
_MAXIMIZED = ("throughput", "matthews")


def natural_direction(metric: str) -> str | None:
    """Return "maximize" or "minimize" for a metric that has one better end, whoever asks.

    Args:
        metric: its name.

    Returns:
        None for any other metric, as of a user's own function.
    """
    name = MetricName.parse(metric)
    if name.is_share or name.measure in _MAXIMIZED:
        return "maximize"
    return "minimize" if name.measure in _MINIMIZED else None

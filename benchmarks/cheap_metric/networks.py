"""Twenty differently trained networks on digits, which the cheap-metric benchmark attacks.

Every training method, several sizes of its attack, and plain trainings with other shapes, so that
robust accuracies spread from nearly 0 to what these methods reach. Chosen before any was attacked.
"""

from __future__ import annotations

from typing import Any

EPOCHS = 15
SHARED = {"batch_size": 64, "schedule": "one_cycle", "normalisation": "batch", "width": 32}


def models() -> dict[str, dict[str, Any]]:
    """Return name -> configuration of the small CNN."""
    found: dict[str, dict[str, Any]] = {
        "plain": {},
        "plain, smoothed labels": {"label_smoothing": 0.2},
        "plain, tanh": {"activation": "tanh"},
        "plain, wide, gelu": {"width": 48, "activation": "gelu", "normalisation": "none"},
        "plain, dropout, group norm": {"dropout": 0.4, "normalisation": "group"},
    }
    for epsilon in (0.05, 0.1, 0.15):
        found[f"fgsm {epsilon}"] = _adversarial("fgsm", epsilon)
    for epsilon in (0.03, 0.07, 0.1, 0.15, 0.2):
        found[f"pgd {epsilon}"] = _adversarial("pgd", epsilon, {"pgd.steps": 5})
    for beta in (1.0, 3.0, 6.0):
        settings = {"trades.beta": beta, "trades.steps": 5}
        found[f"trades 0.1, beta {beta:g}"] = _adversarial("trades", 0.1, settings)
    for epsilon in (0.07, 0.12):
        settings = {"mart.beta": 5.0, "mart.steps": 5}
        found[f"mart {epsilon}"] = _adversarial("mart", epsilon, settings)
    for epsilon in (0.05, 0.1):
        found[f"free {epsilon}"] = _adversarial("free", epsilon, {"free.replays": 4})
    assert len(found) == 20
    return {name: {**SHARED, **configuration} for name, configuration in found.items()}


def _adversarial(
    method: str, epsilon: float, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {"adversarial_training": method, f"{method}.epsilon": epsilon, **(settings or {})}

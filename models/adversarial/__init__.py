"""Adversarial attacks, training against them, and the measurement of robustness."""

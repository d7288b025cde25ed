"""The comparison of adversarial training methods at equal epochs and at equal compute."""

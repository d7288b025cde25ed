"""The claim that a short search finds robust networks that AutoAttack confirms."""

"""Perturbations of token embeddings: attacks as a diagnostic, and training against them."""

"""Texts for fine-tuning, checked row by row. No torch."""

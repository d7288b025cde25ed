"""Data sets: sources, descriptions, loading, and the parts of the validation split."""

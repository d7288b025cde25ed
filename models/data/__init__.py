"""Data sets: where they come from, what they are, and how the validation split is cut."""

"""A program for two example specs, no claim: it writes the tiny random models they name."""

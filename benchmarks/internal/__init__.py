"""Performance of internals: what a change of the code must not make worse."""

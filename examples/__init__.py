"""Training functions to start from; each has its spec next to it."""

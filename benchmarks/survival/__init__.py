"""The claim that a search survives `kill -9` of its driver at any moment."""

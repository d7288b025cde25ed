"""Read: runs of a store, ours or of other tools, as a History."""

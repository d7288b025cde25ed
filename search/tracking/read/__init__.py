"""Read: the runs of a store, ours and those of other tools, as a History."""

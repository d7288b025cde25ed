"""Report: what a finished search looks like, written from the store alone."""

"""Optimize: run the trials on the cluster, stop those that cannot win, lose no result."""

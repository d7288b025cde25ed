"""Optimize: run the trials on the cluster, stop the hopeless ones, lose nothing."""

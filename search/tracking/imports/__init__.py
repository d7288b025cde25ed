"""Runs of other tools that lie outside of any MLflow store, written into one as history."""

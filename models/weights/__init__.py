"""Weights that travel: from the checkpoint of one trial into another trial, or to other people."""

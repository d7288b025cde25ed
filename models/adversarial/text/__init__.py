"""Attacks that edit the words of a text, under a cap on how many."""

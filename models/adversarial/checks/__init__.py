"""Checks for gradient masking, which makes a robust accuracy look too high."""

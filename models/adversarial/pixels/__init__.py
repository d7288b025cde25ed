"""Attacks on the pixels of images in [0, 1], training against them, and what is true of both."""

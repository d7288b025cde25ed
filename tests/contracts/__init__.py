"""Contracts: what every sampler, attack, adaptation, training, layout and scheduler keeps.

One file each, over a dictionary of what is under test: a new method is one more line there.
"""

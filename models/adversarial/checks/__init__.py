"""Checks of a robust accuracy: does it only look high, because the gradients are masked?"""

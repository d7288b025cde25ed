"""Tests of the failures benchmark."""

"""Tests of the curves benchmark."""

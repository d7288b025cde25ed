"""Diagnose: look for what would spoil a search before it costs GPU hours.

For the command `doctor`. One file a subject; every check is a function that returns `Check`s and
changes nothing but files of its own, which it removes. Not for mending: a check says how.
"""

"""Cluster: bring one up, hand it a search as a job, and find what would spoil the search first.

For the commands `launch`, `attach` and `doctor`. A check of `doctor` is a function that returns
`Check`s and changes nothing but files of its own, which it removes; it says how to fix what it
finds. Not for what the search does on the cluster: that is `run`, on its head as on any machine.
"""

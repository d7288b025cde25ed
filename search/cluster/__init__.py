"""Bring a cluster up, submit a search to it as a job, and check first what would spoil the search.

For the commands `launch`, `attach` and `doctor`. A check of `doctor` is a function that returns
`Check`s and changes nothing but its own files, which it removes; a check says how to fix what it
finds. Not for what the search does on the cluster: there it is `run`, as on any machine.
"""

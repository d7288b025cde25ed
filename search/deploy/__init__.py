"""Deploy: bring a Ray cluster up, hand it a search as a job, follow that job from anywhere.

For the commands `launch` and `attach`. Not for what the search does there: that is `run`, on the
head of the cluster, as on any machine.
"""

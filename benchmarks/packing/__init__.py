"""The claim that several small trials on one GPU are worth more than one at a time."""

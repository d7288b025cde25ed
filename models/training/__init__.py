"""What a trial trains: the protocol, and the trainings of this package that keep it."""

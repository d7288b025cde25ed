"""What a trial trains: the protocol, and the trainings of models of the catalog."""

"""The claim on overhead: trials an hour and share of time in training, against plain Ray Tune."""

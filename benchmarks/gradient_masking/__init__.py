"""The claim that broken defences are caught by a check and honest networks raise no warning."""

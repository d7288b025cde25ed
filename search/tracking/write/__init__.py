"""Write: send the journal of a search to its runs in MLflow."""

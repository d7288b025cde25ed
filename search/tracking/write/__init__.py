"""Write: from the journal of a search into its runs in MLflow."""

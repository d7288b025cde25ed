"""What a prediction is worth: figures and tables of classes and of entities."""

"""Fine-tuning on texts: encoding, batches, predictions and their evaluation."""

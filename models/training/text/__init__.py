"""What fine-tuning on texts needs: encoding, batches, predictions and their evaluation."""

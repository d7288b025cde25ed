"""What a warm search costs in epochs, on recorded learning curves."""

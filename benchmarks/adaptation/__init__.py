"""The comparison of adaptation methods, and of a tuned search with untuned fine-tuning."""

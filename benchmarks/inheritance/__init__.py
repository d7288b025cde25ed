"""The claim that past searches and their weights help a fine-tuning on another domain."""

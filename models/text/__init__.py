"""Texts for fine-tuning: data sets (without torch), tokenizers, encoding and batches."""

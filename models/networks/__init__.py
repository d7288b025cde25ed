"""Networks and pretrained models: how they are made, found, loaded and fed."""

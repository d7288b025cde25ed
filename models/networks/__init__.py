"""Networks and pretrained models: building, locating, loading and their inputs."""

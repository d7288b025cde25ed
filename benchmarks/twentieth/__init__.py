"""The claim that the k-th search costs ever less, on recorded tasks and in real training."""

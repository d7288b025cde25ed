"""The claims about memory: the same task searched again, and a related task."""

"""Example specs; each says what it shows, what it costs and how to run it."""

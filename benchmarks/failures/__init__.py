"""What a memory of failures is worth, and what it costs where history's failures are not true."""

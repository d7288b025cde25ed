"""The command line: a command reads its options, calls a step, and says what came out."""

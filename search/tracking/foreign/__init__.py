"""Runs that other tools logged: one file a tool, each saying where its layout is documented."""

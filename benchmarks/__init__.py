"""What the project claims about itself, each claim one command; see README.md."""

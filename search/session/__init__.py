"""Session: starts searches from this process and shows them, for Python and the command line."""

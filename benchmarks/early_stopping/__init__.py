"""The claim that stopping by both objectives is worth more than stopping by one."""

"""What breaks around a command: told in a line with its object and a HINT, and the exit code."""

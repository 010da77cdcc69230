"""The verbs of the command line: each returns a result, and run.py prints it."""

"""A backup is brought back, into the warehouse or, to verify it, into a database beside it."""

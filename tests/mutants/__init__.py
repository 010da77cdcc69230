"""Mutants: the core of the mirror broken in every way we know, to see a test fail each time."""

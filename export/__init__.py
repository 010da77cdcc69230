"""Writes tables of the warehouse, or their changes, as files that other engines read."""

"""Measurements: each creates its own data on its own servers, and prints figures and ratios."""

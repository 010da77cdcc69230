"""Measurements: each makes its own data on its own servers and prints figures and ratios."""

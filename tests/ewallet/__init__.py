"""Tests of the domain `ewallet`: its application, its models, and what they publish."""

"""Backups and restores of a real warehouse."""

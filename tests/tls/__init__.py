"""Connections that are encrypted, and what is checked of who answers."""

"""Tables that are loaded in bulk."""

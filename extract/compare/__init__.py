"""Source and mirror compared: what is equal, what differs, and which source it is."""

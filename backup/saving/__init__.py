"""A backup is made: a dump of each layer, and a copy in a second place."""

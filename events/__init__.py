"""Change events that others write, as files or in a topic: landed in the mirror as they are."""

"""The directory of backups: what is in it, what may be believed of it, and what is kept."""

"""The domain `ewallet`: users, merchants, and the transactions between them, with foreign keys."""

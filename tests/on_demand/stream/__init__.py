"""The stream of customers, by a real broker and a real database."""

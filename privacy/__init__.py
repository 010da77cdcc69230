"""What the project says of personal data: its kinds, its columns, and whose they are."""

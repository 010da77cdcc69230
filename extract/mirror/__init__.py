"""The mirror in the warehouse: its tables, their key ranges, their digests and verifications."""

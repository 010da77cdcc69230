"""The mirror in the warehouse: its tables, their key ranges, the delete guard, what was proved."""

"""The accounts of the roles: what each may do, and how they get that."""

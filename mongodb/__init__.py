"""Collections of MongoDB: what mongoexport writes of them, compared with the mirror and applied."""

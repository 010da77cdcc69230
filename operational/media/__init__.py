"""The domain `media`: one table of files, which is replicated as it is."""

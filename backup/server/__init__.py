"""The warehouse's server as a backup sees it: its programs, its contents, its disk."""

"""The embedded servers, with real ones in homes of their own."""

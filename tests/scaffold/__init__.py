"""What `scaffold` writes, of schemas as they come."""

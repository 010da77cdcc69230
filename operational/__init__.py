"""What the application owns: schema and sample data of each domain, and the life in them."""

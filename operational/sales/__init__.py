"""The domain `sales`: customers, products, and sales that may name neither."""

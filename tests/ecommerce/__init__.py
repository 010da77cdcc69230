"""The generated shop of the domain ecommerce, on a real server."""

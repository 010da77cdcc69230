"""The domain ecommerce: a web shop with six tables, whose history is generated."""

"""The PostgreSQL side: how it is reached and locked, what it remembers, how dbt builds it."""

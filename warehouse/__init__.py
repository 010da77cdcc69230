"""The PostgreSQL side: how it is reached and locked, what is remembered in it, how dbt builds it."""

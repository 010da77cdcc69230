"""The PostgreSQL side: connections and locks, control tables, and dbt, which builds it."""

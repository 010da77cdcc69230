"""What people look at. It reads `dwh`, and what dbt says of its marts and metrics."""

"""The demo application: the schema, the sample data and the workload of each domain."""

"""The way into the warehouse: CSV files, COPY, the dlt pipeline, bulk loads with checkpoints."""

"""What Tidemark writes for programs: JSON, logs and metrics."""

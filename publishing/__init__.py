"""Publishing: tables of the mirror and of dwh to ClickHouse, exact, incremental and proven."""

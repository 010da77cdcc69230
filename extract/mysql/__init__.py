"""MySQL and MariaDB as a source: the session, the catalog, the table of types, the reader."""

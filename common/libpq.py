"""Environment variables of libpq, which psycopg2 and PostgreSQL's programs use."""

import os

VARIABLES = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE"),
    *("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGOPTIONS", "PGAPPNAME", "PGCONNECT_TIMEOUT"),
    *("PGCLIENTENCODING", "PGTZ", "PGDATESTYLE", "PGGEQO"),
    *("PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"),
)
"""Variables that would change the server or the session; those about TLS are kept."""


def forget_variables() -> None:
    """Remove these variables from the environment of this process.

    Some of them take precedence over the parameters of a connection: PGHOSTADDR over the host, PGTZ
    over the time zone.
    """
    for name in VARIABLES:
        os.environ.pop(name, None)

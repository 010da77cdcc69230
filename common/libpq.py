"""What libpq, below psycopg2 and PostgreSQL's programs, takes from the environment."""

import os

VARIABLES = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE"),
    *("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGOPTIONS", "PGAPPNAME", "PGCONNECT_TIMEOUT"),
    *("PGCLIENTENCODING", "PGTZ", "PGDATESTYLE", "PGGEQO"),
    *("PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"),
)
"""Variables by which libpq would lead elsewhere or change the session; those of TLS are left."""


def forget_variables() -> None:
    """Drop these variables from the environment of this process.

    Some of them win over what is asked for at a connection: PGHOSTADDR over the host, PGTZ over the
    time zone.
    """
    for name in VARIABLES:
        os.environ.pop(name, None)

"""What libpq is told, which psycopg2, dbt and PostgreSQL's programs use, and its environment."""

import os
from typing import Any

from common.tls import NEVER_A_FILE, Tls

OF_SERVER = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE"),
    *("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGOPTIONS"),
    *("PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"),
    *("PGSSLMODE", "PGREQUIRESSL", "PGSSLROOTCERT", "PGSSLNEGOTIATION"),
    *("PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGREQUIREAUTH"),
)
"""Variables that would change which server is reached, and how it is trusted.

Those are kept with which TLS has a certificate of the client, or a list of revoked ones.
"""
VARIABLES = (
    *OF_SERVER,
    *("PGAPPNAME", "PGCONNECT_TIMEOUT", "PGCLIENTENCODING", "PGTZ", "PGDATESTYLE", "PGGEQO"),
)
"""Those, and variables that would change the session."""

NO_CLEAR_PASSWORD = "!password"
"""A value of libpq's `require_auth`: never send the password in clear text."""
EVERY_METHOD = "none,password,md5,gss,scram-sha-256"
"""The value for a server that may have it; an empty one would allow no method."""


def forget_variables() -> None:
    """Remove all these variables from the environment of this process.

    Some of them take precedence over the parameters of a connection: PGHOSTADDR over the host, PGTZ
    over the time zone.
    """
    for name in VARIABLES:
        os.environ.pop(name, None)


def security(tls: Tls) -> dict[str, Any]:
    """The parameters of a connection that say how it is encrypted, and how passwords are sent.

    Encryption by GSSAPI would go before TLS. A file of authorities in the user's home would make
    the mode `require` check certificates. The password itself goes to no server that did not prove
    who it is.
    """
    return {
        "sslmode": str(tls.mode) if tls.is_on else "disable",
        "sslrootcert": tls.authorities or NEVER_A_FILE,
        "gssencmode": "disable",
        "require_auth": EVERY_METHOD if tls.is_checked else NO_CLEAR_PASSWORD,
    }


def security_variables(tls: Tls) -> dict[str, str]:
    """The same as variables of the environment, for programs."""
    return {f"PG{name.upper().replace('_', '')}": value for name, value in security(tls).items()}

"""Errors of the server and its driver: their numbers, and hints."""

import socket
import ssl

from pymysql.constants import CR, ER

from common.errors import ServerError, TableError
from common.settings import Address, setting_of
from common.tls import not_by_tls, not_offered, not_trusted
from extract.errors import AGAIN, LOCKED, TableChanged

CONNECTION_LOST = {0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_SERVER_LOST_EXTENDED}
"""Error numbers of a lost connection; 0 is the driver's own."""
BROKEN = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, BrokenPipeError)
"""A connection broke while TLS was negotiated; the driver reports that it could not connect."""

STATEMENT_CUT = {1969, 3024, ER.QUERY_INTERRUPTED}
"""Error numbers of a statement that exceeded the limit in MariaDB or MySQL, and of KILL QUERY."""

STARTED = "Start the server, or set {HOST} and {PORT} to a running one."
FULL = "Wait until other sessions have ended, or allow more for the server or the account."
SECURE_TRANSPORT_REQUIRED = 3159
"""The number of MySQL and MariaDB for a connection without TLS that the server does not allow."""
ACCOUNT_LOCKED = "Ask an administrator of the server to unlock the account or set a new password."
REFUSALS = {
    SECURE_TRANSPORT_REQUIRED: "Set {TLS} to verify-full.",
    ER.CON_COUNT_ERROR: FULL,
    ER.TOO_MANY_USER_CONNECTIONS: FULL,
    ER.USER_LIMIT_REACHED: FULL,
    ER.HOST_NOT_PRIVILEGED: "Create the account for the host from which Tidemark connects.",
    ER.HOST_IS_BLOCKED: "Ask an administrator of the server to run FLUSH HOSTS.",
    1820: ACCOUNT_LOCKED,
    1862: ACCOUNT_LOCKED,
    3118: ACCOUNT_LOCKED,
    4151: ACCOUNT_LOCKED,
    CR.CR_AUTH_PLUGIN_CANNOT_LOAD: "Give the account caching_sha2_password, mysql_native_password"
    " or ed25519.",
}
"""Hints for a refused connection, by error number."""

HINTS = {
    ER.TABLEACCESS_DENIED_ERROR: "Grant SELECT on the table to the account that reads it.",
    ER.COLUMNACCESS_DENIED_ERROR: "Grant SELECT on the whole table to the account that reads it.",
    ER.LOCK_WAIT_TIMEOUT: LOCKED,
}
"""Hints for an error that stops a table, by error number."""
TABLE_CHANGED = {ER.BAD_FIELD_ERROR, ER.NO_SUCH_TABLE, ER.TABLE_DEF_CHANGED}
"""Error numbers of a table that was changed since it was described."""


def table_error(name: str, error: Exception) -> TableError:
    """An error of the server or the driver that stopped a table."""
    number = error_number(error)
    if is_lost(error):
        return TableError(name, "the connection to the source is lost", AGAIN)
    if number in STATEMENT_CUT:
        return TableError(
            name,
            f"the source ended a statement that took too long ({number})",
            "Another session holds a lock on the table, or a single row is too wide to be sent in"
            " time; the next run tries again.",
        )
    if number in TABLE_CHANGED:
        return TableChanged(name)
    words = error.args[1] if len(error.args) > 1 else type(error).__name__
    return TableError(name, f"the source says {number}: {words}", HINTS.get(number, AGAIN))


def refusal(address: Address, error: Exception) -> ServerError:
    """An error of connecting, or of setting up the session."""
    subject = f"operational {address}"
    number = error_number(error)
    original = getattr(error, "original_exception", None)
    if number == ER.ACCESS_DENIED_ERROR:
        hint = "Set {USER} and {PASSWORD} to an account of that server."
        hint += "" if address.tls.is_on else " If it needs TLS, set {TLS} to verify-full."
        return ServerError(
            subject, f'the account "{address.user}" is refused', _with_settings(hint, address)
        )
    if number == CR.CR_SSL_CONNECTION_ERROR:
        return not_offered(subject, setting_of(address.source, "TLS"), address.tls)
    if isinstance(original, ssl.SSLCertVerificationError):
        return not_trusted(subject, setting_of(address.source, "TLS"), address.tls, original)
    if isinstance(original, ssl.SSLError) and not isinstance(original, BROKEN):
        return not_by_tls(subject, original.reason or str(original))
    if isinstance(original, socket.gaierror):
        return ServerError(
            subject,
            f'the name "{address.host}" does not resolve',
            _with_settings("Correct {HOST}, or the machine's name service.", address),
        )
    hint = _with_settings(REFUSALS.get(number, STARTED), address)
    if number in (0, CR.CR_CONN_HOST_ERROR):
        return ServerError(subject, "no connection", hint)
    return ServerError(subject, f"no connection ({number}: {error.args[-1]})", hint)


def password_refused(address: Address) -> ServerError:
    """The error of a server that asks for the password itself, and has not shown who it is."""
    hint = (
        "Set {TLS} to verify-full, or to verify-ca with {TLS}_CA for a certificate that MySQL has"
        " made for itself (ca.pem in its data folder). If the account has a plugin that never asks"
        " for the password, such as mysql_native_password, another server is answering."
    )
    return ServerError(
        f"operational {address}",
        "the server asks for the password in clear text, or with a key that nothing proves to be"
        " its own; it was not sent",
        _with_settings(hint, address),
    )


def _with_settings(hint: str, address: Address) -> str:
    """The hint, with the names of the settings of that source."""
    parts = ("HOST", "PORT", "USER", "PASSWORD", "TLS")
    return hint.format_map({part: setting_of(address.source, part) for part in parts})


def is_lost(error: Exception) -> bool:
    """True if the error is that of a connection to a server that was reached, and is lost."""
    original = getattr(error, "original_exception", None)
    return error_number(error) in CONNECTION_LOST or isinstance(original, BROKEN)


def error_number(error: Exception) -> int:
    """The server's or the driver's number of an error; 0 if it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0

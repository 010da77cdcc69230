"""Connections that the warehouse, or what answers in its place, refuses: why, and the remedy."""

import os
import re
import socket
import ssl
import struct
from pathlib import Path

from common.errors import ServerError
from common.settings import Address
from common.tls import not_by_tls, not_offered, not_trusted, ssl_context

TLS_SETTING = "WAREHOUSE_TLS"
TLS_REQUEST = struct.pack("!ii", 8, 80877103)
"""The message by which a client of PostgreSQL asks for TLS; the server answers S or N."""
SECONDS = 10

ATTEMPT = re.compile(r"connection to server .*? failed: +(?P<fatal>FATAL: +)?(?P<words>.*)")
"""A line of libpq about one address of the host; FATAL is what a server says, by TLS if that is on.

Further lines are the server's details, and indented ones libpq's guesses at the cause.
"""
CLIENT_CERTIFICATE = (
    "libpq gets the certificate of this client and its key from the files that PGSSLCERT and"
    " PGSSLKEY name, or from postgresql.crt and postgresql.key in ~/.postgresql; nobody else may"
    " read the key (chmod 600). The certificate must name the account."
)


def refusal(address: Address, message: str) -> ServerError:
    """The error of a connection that libpq reports by this message."""
    subject = f"warehouse {address}"
    # the last attempt counts
    attempts = list(filter(None, map(ATTEMPT.match, message.splitlines())))
    lines = [line for line in message.splitlines() if line.strip()]
    last = attempts[-1]["words"] if attempts else lines[0] if lines else "no answer"
    found = None
    if attempts and attempts[-1]["fatal"]:
        found = _refusal_by_server(subject, address, last)
    else:
        found = _refusal_by_libpq(subject, address, last)
    return found or ServerError(
        subject,
        f"no connection ({last})",
        "Start the server, or set WAREHOUSE_HOST and WAREHOUSE_PORT to one that is running.",
    )


def _refusal_by_server(subject: str, address: Address, last: str) -> ServerError | None:
    """The error of what a server says of a client; None if only its own words explain it."""
    if "password authentication failed" in last:
        return _account_refused(subject, address)
    if found := re.match('(database|role) ".*" does not exist', last):
        setting = {"database": "DATABASE", "role": "USER"}[found[1]]
        return ServerError(subject, last, f"Create it, or set WAREHOUSE_{setting}.")
    hint = None
    if last.endswith((", no encryption", ", SSL off")) and not address.tls.is_on:
        hint = f"If the server wants its clients to use TLS, set {TLS_SETTING} to verify-full."
    elif "pg_hba.conf" in last:
        hint = (
            "Ask its administrator for a line in pg_hba.conf that allows this account, database"
            " and host; or set WAREHOUSE_USER, WAREHOUSE_DATABASE or WAREHOUSE_TLS to what the"
            " lines there allow."
        )
    elif "certificate" in last:
        hint = CLIENT_CERTIFICATE
    return ServerError(subject, f"no connection ({last})", hint) if hint else None


def _account_refused(subject: str, address: Address) -> ServerError:
    return ServerError(
        subject,
        f'the account "{address.user}" is refused',
        "Set WAREHOUSE_USER and WAREHOUSE_PASSWORD, or those of its role, such as"
        " WAREHOUSE_LOADER_USER, to an account of that server.",
    )


def _refusal_by_libpq(subject: str, address: Address, last: str) -> ServerError | None:
    """The error of what libpq finds wrong with a server; None if it is that there is none."""
    if last.startswith("could not translate host name"):
        return ServerError(
            subject,
            f'the name "{address.host}" does not resolve',
            "Correct WAREHOUSE_HOST, or the machine's name service.",
        )
    if "no password supplied" in last:
        return _account_refused(subject, address)
    if "requirement" in last and "cleartext password" in last:
        return ServerError(
            subject,
            "the server asks for the password in clear text; it was not sent",
            "Set scram-sha-256 for the account in its pg_hba.conf, or WAREHOUSE_TLS to verify-full;"
            " if the former is set, another server answers in its place.",
        )
    if last.startswith("server does not support SSL"):
        return not_offered(subject, TLS_SETTING, address.tls)
    if re.search('private key|(?<!root )certificate file "|certificate present', last):
        return ServerError(subject, f"no connection ({last})", CLIENT_CERTIFICATE)
    if not address.tls.is_on or not re.match("SSL (error|SYSCALL)|.*certificate", last):
        return None
    error = _error_of_tls(address)
    if isinstance(error, ssl.SSLCertVerificationError):
        return not_trusted(subject, TLS_SETTING, address.tls, error)
    if error is None and (revoked := _revoked_certificates()):
        problem = f"the server's certificate is refused by {revoked} ({last})"
        hint = "Renew the certificate of the server, or that list of revoked ones."
        return ServerError(subject, problem, hint)
    return not_by_tls(subject, last)


def _revoked_certificates() -> str | None:
    """Where libpq finds a list of revoked certificates; None if it has none."""
    for name in ("PGSSLCRL", "PGSSLCRLDIR"):
        if os.environ.get(name):
            return f"{name}={os.environ[name]}"
    file = Path.home() / ".postgresql" / "root.crl"
    return str(file) if file.exists() else None


def _error_of_tls(address: Address) -> OSError | None:
    """What is wrong with the server's TLS, by a handshake of our own: libpq keeps it to itself."""
    try:
        with socket.create_connection((address.host, address.port), SECONDS) as plain:
            plain.sendall(TLS_REQUEST)
            if plain.recv(1) == b"S":
                context = ssl_context(address.tls)
                context.wrap_socket(plain, server_hostname=address.host).close()
    except OSError as error:
        return error
    return None

"""Connections that the warehouse, or what answers in its place, refuses: why, and the remedy."""

import socket
import ssl
import struct

from common.errors import ServerError
from common.settings import Address
from common.tls import not_offered, not_trusted, ssl_context

TLS_SETTING = "WAREHOUSE_TLS"
TLS_REQUEST = struct.pack("!ii", 8, 80877103)
"""The message by which a client of PostgreSQL asks for TLS; the server answers S or N."""
SECONDS = 10


def refusal(address: Address, message: str) -> ServerError:
    """The error of a connection that libpq reports by this message."""
    subject = f"warehouse {address}"
    # the last attempt counts; indented lines are libpq's guesses at the cause
    said = [line for line in message.splitlines() if line.strip() and not line[0].isspace()]
    last = said[-1] if said else "no answer"
    last = last.rpartition(" failed: ")[2].removeprefix("FATAL:").strip()
    if "could not translate host name" in message:
        return ServerError(
            subject,
            f'the name "{address.host}" does not resolve',
            "Correct WAREHOUSE_HOST, or the machine's name service.",
        )
    if "password authentication failed" in message or "no password supplied" in message:
        return ServerError(
            subject,
            f'the account "{address.user}" is refused',
            "Set WAREHOUSE_USER and WAREHOUSE_PASSWORD, or those of its role, such as"
            " WAREHOUSE_LOADER_USER, to an account of that server.",
        )
    if "requirement" in message and "cleartext password" in message:
        return ServerError(
            subject,
            "the server asks for the password in clear text; it was not sent",
            "Set scram-sha-256 for the account in its pg_hba.conf, or WAREHOUSE_TLS to verify-full;"
            " if the former is set, another server answers in its place.",
        )
    about_tls = _refusal_of_tls(subject, address, message, last)
    if about_tls is not None:
        return about_tls
    if "does not exist" in message:
        return ServerError(subject, last, "Create it, or set WAREHOUSE_DATABASE.")
    return ServerError(
        subject,
        f"no connection ({last})",
        "Start the server, or set WAREHOUSE_HOST and WAREHOUSE_PORT to one that is running.",
    )


def _refusal_of_tls(subject: str, address: Address, message: str, last: str) -> ServerError | None:
    """The error if the message is about TLS; None if it is not."""
    if "server does not support SSL" in message:
        return not_offered(subject, TLS_SETTING, address.tls)
    if "no encryption" in message or "SSL off" in message:
        hint = f"If the server wants its clients to use TLS, set {TLS_SETTING} to verify-full."
        return ServerError(subject, f"no connection ({last})", hint)
    if not address.tls.is_on or ("SSL" not in message and "certificate" not in message):
        return None
    error = _error_of_tls(address)
    if isinstance(error, ssl.SSLCertVerificationError):
        return not_trusted(subject, TLS_SETTING, address.tls, error)
    return ServerError(
        subject,
        f"no connection by TLS ({last})",
        "The server must offer TLS 1.2 or newer; its log says more.",
    )


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

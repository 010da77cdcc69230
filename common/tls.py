"""TLS: whether a connection is encrypted, and what is checked of the server's certificate."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import ServerError, SettingError
from common.suggestion import did_you_mean

if TYPE_CHECKING:
    import ssl

SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE and macOS keep the certificates of the authorities they trust.

One file for both drivers and for the programs of PostgreSQL: the OpenSSL that is part of psycopg2
was built for folders that no machine has, so that its own idea of the system's store is empty.
"""
NEVER_A_FILE = "/dev/null/none"
"""A path below a file: nothing can be there."""

EXPIRED = {9, 10}
OTHER_NAME = {62, 64}
"""OpenSSL's codes for a certificate that is not valid at this time, and for one of another host."""


class TlsMode(StrEnum):
    """What a connection requires; there is no mode that falls back to an unencrypted one."""

    VERIFY_FULL = "verify-full"
    """The certificate is of a known authority, and for this host."""
    VERIFY_CA = "verify-ca"
    """The certificate is of the authority that is set, for whatever host."""
    REQUIRE = "require"
    """Encrypted, without a look at the certificate."""
    OFF = "off"


@dataclass(frozen=True)
class Tls:
    """The TLS of a connection. `authorities` is a file with certificates; empty if none is used."""

    mode: TlsMode = TlsMode.OFF
    authorities: str = ""

    @property
    def is_on(self) -> bool:
        return self.mode is not TlsMode.OFF

    @property
    def is_checked(self) -> bool:
        """True if the server must prove by its certificate that it is the right one."""
        return self.mode in (TlsMode.VERIFY_FULL, TlsMode.VERIFY_CA)


NO_TLS = Tls()


def read_tls(values: Mapping[str, str], prefix: str, host: str) -> Tls:
    """The settings `<prefix>_TLS` and `<prefix>_TLS_CA` of a host. Raises SettingError."""
    name, file = f"{prefix}_TLS", values.get(f"{prefix}_TLS_CA", "")
    is_default_off = is_local(host) and not file
    text = values.get(name) or (TlsMode.OFF if is_default_off else TlsMode.VERIFY_FULL)
    try:
        mode = TlsMode(text)
    except ValueError:
        modes = list(map(str, TlsMode))
        hint = f"{did_you_mean(text, modes)}Set one of {', '.join(modes)}."
        raise SettingError(name, f'"{text}" is no mode of TLS', hint) from None
    _check_contradictions(name, mode, prefix, host, file)
    if not Tls(mode).is_checked:
        return Tls(mode)
    return Tls(mode, _own_authorities(name, file) if file else _system_authorities(name))


def is_local(host: str) -> bool:
    """True if nothing that is sent to this host leaves the machine, by the host's name alone."""
    if is_socket(host):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_socket(host: str) -> bool:
    """True if the host is the folder of a Unix socket, or an abstract socket."""
    return host.startswith(("/", "@"))


def ssl_context(tls: Tls) -> "ssl.SSLContext":
    """The context with which a connection of this TLS, which is not off, is encrypted."""
    import ssl  # a command that connects to nothing does not need it

    context = ssl.create_default_context(cafile=tls.authorities or None)
    # the certificates that MySQL makes for itself do not keep all rules of the standard
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = tls.mode is TlsMode.VERIFY_FULL
    context.verify_mode = ssl.CERT_REQUIRED if tls.is_checked else ssl.CERT_NONE
    return context


def pymysql_options(tls: Tls) -> dict[str, Any]:
    """The arguments of pymysql.connect(), which by itself falls back to an unencrypted one."""
    return {"ssl": ssl_context(tls)} if tls.is_on else {"ssl_disabled": True}


def not_offered(subject: str, setting: str, tls: Tls) -> ServerError:
    """The error of a server that does not offer the TLS that the setting asks for."""
    return ServerError(
        subject,
        f"the server offers no TLS, and {setting} is {tls.mode}",
        f"Switch TLS on at the server, or set {setting} to off if nobody else can read or change"
        " what is sent to it.",
    )


def not_by_tls(subject: str, reason: str) -> ServerError:
    """The error of a server with which no encryption was agreed, for another reason."""
    return ServerError(
        subject,
        f"no connection by TLS ({reason})",
        "The server must offer TLS 1.2 or newer; its log says more.",
    )


def not_trusted(
    subject: str, setting: str, tls: Tls, error: "ssl.SSLCertVerificationError"
) -> ServerError:
    """The error of a server whose certificate was refused; nothing was sent to it."""
    reason = error.verify_message.rstrip(".")
    if error.verify_code in EXPIRED:
        hint = "Renew the certificate of the server, or correct this machine's clock."
    elif error.verify_code in OTHER_NAME:
        hint = (
            f"Set {setting.removesuffix('_TLS')}_HOST to a name that is in the certificate. If the"
            f" server has an authority of its own, set {setting}_CA to its certificate and"
            f" {setting} to verify-ca."
        )
    else:
        hint = (
            f"Set {setting}_CA to a file with the certificate of the authority that signed the"
            f" server's; it is looked for in {tls.authorities}. With {setting} set to require the"
            " connection is encrypted, but with whom is not known."
        )
    return ServerError(subject, f"the server's certificate is refused ({reason})", hint)


def _check_contradictions(name: str, mode: TlsMode, prefix: str, host: str, file: str) -> None:
    if mode is not TlsMode.OFF and is_socket(host):
        problem = f"{mode}, but {prefix}_HOST is a socket, which has no TLS"
        raise SettingError(name, problem, f"Remove {name} and {name}_CA.")
    if file and not Tls(mode).is_checked:
        problem = f"set, but {name} is {mode}, which checks no certificate"
        raise SettingError(f"{name}_CA", problem, f"Set {name} to verify-full, or remove this.")
    if mode is TlsMode.VERIFY_CA and not file:
        raise SettingError(
            f"{name}_CA",
            f"not set, but {name} is {mode}",
            "Set it to the certificate of the server's own authority; every server of a public one"
            " would pass.",
        )


def _own_authorities(name: str, file: str) -> str:
    """The absolute path of the file that is set. Raises SettingError if it has no certificate."""
    path = Path(file).expanduser().absolute()
    try:
        ssl_context(Tls(TlsMode.VERIFY_FULL, str(path)))
    except OSError as error:
        reason = "it has no certificate" if path.is_file() else error.strerror
        raise SettingError(
            f"{name}_CA",
            f'"{file}" cannot be used ({reason})',
            "Set it to a file with one or more certificates in PEM format.",
        ) from None
    return str(path)


def _system_authorities(name: str) -> str:
    """The file of the authorities that the machine trusts. Raises SettingError if it has none."""
    import ssl

    # what the environment names by SSL_CERT_FILE first
    for file in (ssl.get_default_verify_paths().cafile, *SYSTEM_AUTHORITIES):
        if file and Path(file).is_file():
            return file
    raise SettingError(
        f"{name}_CA",
        "not set, and this machine has no file with the authorities that it trusts",
        "Install the package ca-certificates, or set it to a file with the certificate of the"
        " authority that signed the server's.",
    )

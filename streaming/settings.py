"""The settings of streams: which broker, which database, how fast, how patient."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.errors import SettingError
from common.numbers import read_number
from common.settings import PROJECT, Address, read_address, read_password, setting_values
from common.suggestion import did_you_mean
from common.tls import is_local

DATABASE = "ecommerce"
RATE, BROKEN_PERCENT, RETRY_SECONDS = 50, 5, 600
PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SERVER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:,/]+):(?P<port>[0-9]{1,5})")
READER = re.compile("OPERATIONAL_(?!ADMIN_)([A-Z0-9_]+_)?USER")
"""The settings of the accounts by which sources are read."""
OF_TLS = ("KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE", "KAFKA_KEY_PASSWORD")


@dataclass(frozen=True)
class Cluster:
    """A Kafka cluster, and how to log in. A text is empty if it is not set."""

    bootstrap: str
    protocol: str = "plaintext"
    mechanism: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    authorities: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)

    def options(self) -> dict[str, str]:
        """The options of librdkafka that make it this cluster; it checks the brokers' names."""
        options = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.protocol,
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.user,
            "sasl.password": self.password,
            "ssl.ca.location": self.authorities,
            "ssl.certificate.location": self.certificate,
            "ssl.key.location": self.key,
            "ssl.key.password": self.key_password,
        }
        return {name: value for name, value in options.items() if value}


@dataclass(frozen=True)
class StreamSettings:
    """What is set of streams. The cluster or the database is None if the embedded one is used."""

    cluster: Cluster | None = None
    database: Address | None = None
    rate: int = RATE
    broken_percent: int = BROKEN_PERCENT
    retry_seconds: int = RETRY_SECONDS


def read_stream_settings(
    environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env"
) -> StreamSettings:
    """The settings of the environment and of `.env`. Raises SettingError."""
    values, _ = setting_values(environment, dotenv)
    return StreamSettings(
        _cluster(values),
        _database(values),
        read_number(values, "STREAM_RATE", RATE, range(1, 1_000_001)),
        read_number(values, "STREAM_BROKEN_PERCENT", BROKEN_PERCENT, range(101)),
        read_number(values, "STREAM_RETRY_SECONDS", RETRY_SECONDS, range(1, 86_401)),
    )


def _cluster(values: Mapping[str, str]) -> Cluster | None:
    bootstrap = values.get("KAFKA_BOOTSTRAP", "").replace(" ", "")
    if not bootstrap:
        _refuse_others(values)
        return None
    servers = [SERVER.fullmatch(server) for server in bootstrap.split(",")]
    if not all(server and 0 < int(server["port"]) < 65536 for server in servers):
        raise SettingError(
            "KAFKA_BOOTSTRAP",
            f'"{bootstrap}" is not a list of brokers',
            "Set host:port, or several separated by commas.",
        )
    hosts = [server["host"].strip("[]") for server in servers if server]
    user = values.get("KAFKA_SASL_USER", "")
    protocol = _protocol(values, all(map(is_local, hosts)))
    cluster = Cluster(
        bootstrap,
        protocol,
        _mechanism(values) if protocol.startswith("sasl") else "",
        user,
        read_password(values, "KAFKA_SASL_PASSWORD") if protocol.startswith("sasl") else "",
        _file(values, "KAFKA_CA_FILE"),
        _file(values, "KAFKA_CERTIFICATE_FILE"),
        _file(values, "KAFKA_KEY_FILE"),
        read_password(values, "KAFKA_KEY_PASSWORD") if _has_key_password(values) else "",
    )
    _refuse_contradictions(values, cluster, all(map(is_local, hosts)))
    return cluster


def _refuse_others(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if name.startswith("KAFKA_") and value:
            raise SettingError(
                "KAFKA_BOOTSTRAP",
                f"not set, but {name} is",
                "Set KAFKA_BOOTSTRAP too, or none of them to use a broker of this checkout.",
            )


def _has_key_password(values: Mapping[str, str]) -> bool:
    return bool(values.get("KAFKA_KEY_PASSWORD") or values.get("KAFKA_KEY_PASSWORD_FILE"))


def _protocol(values: Mapping[str, str], are_local: bool) -> str:
    has_tls = not are_local or any(values.get(name) for name in OF_TLS)
    default = ("sasl_" if values.get("KAFKA_SASL_USER") else "") + (
        "ssl" if has_tls else "plaintext"
    )
    text = values.get("KAFKA_SECURITY_PROTOCOL") or default
    return _one_of("KAFKA_SECURITY_PROTOCOL", text.lower(), PROTOCOLS)


def _mechanism(values: Mapping[str, str]) -> str:
    text = values.get("KAFKA_SASL_MECHANISM") or MECHANISMS[-1]
    return _one_of("KAFKA_SASL_MECHANISM", text.upper(), MECHANISMS)


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        hint = f"{did_you_mean(text, known)}Set one of {', '.join(known)}."
        raise SettingError(name, f'"{text}" is not known', hint)
    return text


def _refuse_contradictions(values: Mapping[str, str], cluster: Cluster, are_local: bool) -> None:
    has_sasl, has_tls = cluster.protocol.startswith("sasl"), cluster.protocol.endswith("ssl")
    if has_sasl and not cluster.user:
        problem = f"not set, but KAFKA_SECURITY_PROTOCOL is {cluster.protocol}"
        raise SettingError("KAFKA_SASL_USER", problem, "Set it, or another protocol.")
    for name, value in values.items():
        is_useless = (name.startswith("KAFKA_SASL_") and not has_sasl) or (
            name in OF_TLS and not has_tls
        )
        if value and is_useless:
            problem = (
                f"set, but KAFKA_SECURITY_PROTOCOL is {cluster.protocol}, which has no use for it"
            )
            raise SettingError(name, problem, "Remove it, or set another protocol.")
    if cluster.mechanism == "PLAIN" and not has_tls and not are_local:
        raise SettingError(
            "KAFKA_SASL_MECHANISM",
            "PLAIN would send the password in clear text to another machine",
            "Set KAFKA_SECURITY_PROTOCOL to sasl_ssl, or the mechanism to SCRAM-SHA-512.",
        )
    if bool(cluster.certificate) != bool(cluster.key):
        missing = "KAFKA_KEY_FILE" if cluster.certificate else "KAFKA_CERTIFICATE_FILE"
        raise SettingError(missing, "not set, but its other half is", "Set both, or neither.")


def _file(values: Mapping[str, str], name: str) -> str:
    text = values.get(name, "")
    if not text:
        return ""
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise SettingError(name, f'"{text}" is not a file', "Name a file in PEM format.")
    return str(path)


def _database(values: Mapping[str, str]) -> Address | None:
    address = read_address(values, "STREAM_DATABASE", default_port=3306)
    name = values.get("STREAM_DATABASE_NAME", "")
    if address is None:
        if name:
            raise SettingError(
                "STREAM_DATABASE_HOST",
                "not set, but STREAM_DATABASE_NAME is",
                "Set STREAM_DATABASE_HOST too, or none of them to use the embedded server.",
            )
        return None
    for reader, user in values.items():
        if READER.fullmatch(reader) and user == address.user:
            raise SettingError(
                "STREAM_DATABASE_USER",
                f'"{user}" is {reader} too, which is only to read',
                "Create an account for the consumer alone; docs/streaming.md has its privileges.",
            )
    return replace(address, database=name or DATABASE)

"""Settings, from the environment, from a git-ignored `.env`, and from files with a password."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from common import backup_settings, clickhouse_settings, export_settings, stream_settings
from common import mongodb_settings as mongodb
from common.backup_settings import BackupSettings, read_backup_settings
from common.dotenv import read_dotenv
from common.errors import SettingError
from common.export_settings import ExportSettings, read_export_settings
from common.numbers import read_number
from common.roles import ROLE_SETTINGS, read_roles, with_owner, without_printed_account
from common.secret_files import read_secret
from common.tls import NO_TLS, Tls, is_local, read_tls

PROJECT = Path(__file__).resolve().parent.parent
LOCAL = PROJECT / ".local"
DBT_PROJECT = PROJECT / "dbt_project"

DUTY = 0.5
"""The default of the duty cycle: the share of time for which a run may keep a source at work."""
SNAPSHOT_SECONDS = 2.0
"""The default of how long a run may keep a snapshot of a source open."""
MAX_SNAPSHOT_SECONDS = 60
LOG_DAYS = 90
"""The default of how many days the steps of runs are kept."""
LOG_DAYS_RANGE = range(31, 3651)
"""Views of `dwh` tell of the last 30 days."""

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python makes of a byte of the environment that is not UTF-8."""

SETTINGS = {
    "OPERATIONAL_HOST": "host of the MySQL or MariaDB to mirror; default: the embedded one",
    "OPERATIONAL_PORT": "its port; default 3306",
    "OPERATIONAL_USER": "an account on that server that has SELECT and nothing else",
    "OPERATIONAL_PASSWORD": "its password (or OPERATIONAL_PASSWORD_FILE: a file that contains it)",
    "OPERATIONAL_TLS": "the TLS of connections to it: verify-full, verify-ca, require or off;"
    " default: verify-full, and off for a host that is local",
    "OPERATIONAL_TLS_CA": "a file with the authorities that may have signed its certificate;"
    " default: those that this machine trusts",
    "OPERATIONAL_DUTY": "the largest share of time, in percent, for which a run may keep that"
    " server at work; default 50",
    "OPERATIONAL_SNAPSHOT_SECONDS": "how long a run may keep a snapshot of that server open;"
    " default 2, and 0 turns it off",
    "WAREHOUSE_HOST": "host of the PostgreSQL to build in; default: the embedded one",
    "WAREHOUSE_PORT": "its port; default 5432",
    "WAREHOUSE_USER": "an account on that server that may create schemas in the database, and does"
    " all for which no other one is set",
    "WAREHOUSE_PASSWORD": "its password (or WAREHOUSE_PASSWORD_FILE: a file that contains it)",
    "WAREHOUSE_DATABASE": "the database, which must exist",
    "WAREHOUSE_TLS": "the TLS of connections to it, as OPERATIONAL_TLS",
    "WAREHOUSE_TLS_CA": "as OPERATIONAL_TLS_CA",
    **ROLE_SETTINGS,
    "DEMO_DOMAINS": "the domains of the demo to keep, separated by commas; off keeps none",
    "BUILD_ALL": "daily: the first run of each day, in UTC, builds and tests everything; default:"
    " only what can differ from the last time",
    **backup_settings.SETTINGS,
    **export_settings.SETTINGS,
    "LOG_FORMAT": "json: the log is written as JSON, to standard error too; default: text",
    "METRICS_FILE": "a file with the name *.prom, to which each run writes its metrics; default:"
    " none",
    "RUN_LOG_DAYS": "how many days the steps of runs, comparisons, caught errors and incidents are"
    " kept; default 90",
    "ALERT_URLS": "where alerts are sent: addresses of Apprise, separated by whitespace (or"
    " ALERT_URLS_FILE: a file that contains them, one a line)",
    "ALERT_NO_RUN_HOURS": "after how many hours without a successful run there is an alert; default"
    " 26, and off turns it off",
    "ALERT_BACKUP_HOURS": "after how many hours without a backup there is an alert; default 26, and"
    " off turns it off",
    **stream_settings.SETTINGS,
    **clickhouse_settings.SETTINGS,
    **mongodb.SETTINGS,
}
"""Every setting and its meaning. A test compares the names with the table in the README."""

SOURCE_PARTS = (
    *("HOST", "PORT", "USER", "PASSWORD", "PASSWORD_FILE", "TLS", "TLS_CA", "DUTY"),
    "SNAPSHOT_SECONDS",
)
"""What the names of the settings of a source end with."""
NAMED_SOURCE_SETTING = re.compile(
    rf"OPERATIONAL_([A-Z0-9]+(?:_[A-Z0-9]+)*?)_({'|'.join(SOURCE_PARTS)})"
)
"""A setting of a source with a name, such as OPERATIONAL_SHOP_HOST."""
RESERVED_SOURCES = {"admin"}
"""Names that no source may have: `env` prints OPERATIONAL_ADMIN_USER for another purpose."""


@dataclass(frozen=True)
class Address:
    """A server and an account on it. `database` is empty for an operational server.

    `source` is the name of the source; empty for the source without a name, and for the warehouse.
    `tls` is off for the embedded servers, and otherwise as the settings say.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = ""
    source: str = ""
    tls: Tls = NO_TLS

    def __str__(self) -> str:
        head = f"{self.source} " if self.source else ""
        tail = f"/{self.database}" if self.database else ""
        return f"{head}{self.user}@{self.host}:{self.port}{tail}"


def setting_of(source: str, part: str = "") -> str:
    """The name of a source's setting, such as `OPERATIONAL_HOST` or `OPERATIONAL_SHOP_HOST`."""
    return "_".join(filter(None, ("OPERATIONAL", source.upper(), part)))


def settings_of(prefix: str, address: Address) -> dict[str, str]:
    """The settings that make this address; none of TLS if a local host is reached without."""
    parts = {name: str(getattr(address, name)) for name in ("host", "port", "user", "password")}
    if address.database:
        parts["database"] = address.database
    if address.tls.is_on or not is_local(address.host):
        parts |= {"tls": str(address.tls.mode), "tls_ca": address.tls.authorities}
    return {f"{prefix}_{name.upper()}": text for name, text in parts.items()}


@dataclass(frozen=True)
class SourceSettings:
    """The server of a source, and how much a run may ask of it."""

    address: Address
    duty: float = DUTY
    snapshot_seconds: float = SNAPSHOT_SECONDS
    place: str = ""
    """Where one of these settings was made, for messages."""


@dataclass(frozen=True)
class Settings:
    """What the user has set. An address is None if the embedded server is to be used.

    `sources` are the sources with a name, by that name in lower case. `demo_domains` are the
    domains of the demo to keep; None if all are kept. `roles` are the roles that have an account of
    their own. If that of the owner is not set, `warehouse` has the loader's.
    """

    operational: Address | None
    warehouse: Address | None
    duty: float
    snapshot_seconds: float
    demo_domains: frozenset[str] | None
    backup: BackupSettings
    export: ExportSettings
    builds_all_daily: bool = False
    log_days: int = LOG_DAYS
    metrics_file: Path | None = None
    sources: dict[str, SourceSettings] = field(default_factory=dict)
    roles: dict[str, Address] = field(default_factory=dict)
    has_owner: bool = True

    @property
    def demo_switch(self) -> str:
        """`demo_domains` as the text of the setting, which dbt reads."""
        if self.demo_domains is None:
            return ""
        return ",".join(sorted(self.demo_domains)) or "off"


def read_settings(
    environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env"
) -> Settings:
    """The settings of the environment and of `.env`; the environment takes precedence.

    Raises SettingError for an unknown name in `.env`, and for a value that is not valid.
    """
    values, places = setting_values(environment, dotenv)
    _is(values, "LOG_FORMAT", "json", "text")
    operational = read_address(values, "OPERATIONAL", default_port=3306)
    warehouse = read_address(with_owner(values), "WAREHOUSE", default_port=5432)
    return Settings(
        operational=operational,
        warehouse=warehouse,
        duty=_duty(values),
        snapshot_seconds=_snapshot_seconds(values),
        demo_domains=_demo_domains(values.get("DEMO_DOMAINS", "")),
        backup=read_backup_settings(values, LOCAL / "backups"),
        export=read_export_settings(values, LOCAL),
        builds_all_daily=_is(values, "BUILD_ALL", "daily"),
        log_days=read_number(values, "RUN_LOG_DAYS", LOG_DAYS, LOG_DAYS_RANGE, "a number of days"),
        metrics_file=_metrics_file(values.get("METRICS_FILE", "")),
        sources=dict(_sources(values, places)),
        roles=read_roles(values, warehouse, read_password),
        has_owner=warehouse is None or bool(values.get("WAREHOUSE_USER")),
    )


def setting_values(
    environment: Mapping[str, str], dotenv: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """The values of the settings as texts, and for each where it was made. Raises SettingError."""
    values, places = read_dotenv(dotenv, SETTINGS, _is_setting)
    environment = without_printed_account(environment, values)
    for name in environment:
        # a password of the environment takes precedence in either form: itself, or as a file
        for other in (f"{name}_FILE", name.removesuffix("_FILE")):
            values.pop(other, None)
    values |= environment
    places |= {name: name for name in environment}
    for name in SETTINGS:
        # whitespace of any kind separates its addresses, and who reads them tells what is wrong
        if name != "ALERT_URLS":
            _check_characters(name, values.get(name, ""))
    return values, places


def log_format(environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env") -> str:
    """LOG_FORMAT, or nothing where no setting can be read: then another function reports that."""
    with suppress(SettingError):
        in_dotenv = read_dotenv(dotenv, SETTINGS, _is_setting)[0]
        return environment.get("LOG_FORMAT") or in_dotenv.get("LOG_FORMAT", "")
    return ""


def _is_setting(name: str) -> bool:
    known = {name, name.removesuffix("_FILE")} & set(SETTINGS)
    return bool(known) or _named_source(name) is not None


def _named_source(setting: str) -> str | None:
    """The source with a name that a setting belongs to; None if it belongs to none."""
    found = NAMED_SOURCE_SETTING.fullmatch(setting)
    return found[1].lower() if found and found[1].lower() not in RESERVED_SOURCES else None


def _sources(
    values: Mapping[str, str], places: Mapping[str, str]
) -> Iterator[tuple[str, SourceSettings]]:
    """The sources with a name; `places` gives for each setting where it was made."""
    found: dict[str, str] = {}
    for name, value in values.items():
        source = _named_source(name)
        if source and value:
            _check_characters(name, value)
            found.setdefault(source, places[name])
    for source, place in found.items():
        address = read_address(values, setting_of(source), default_port=3306)
        if address is None:
            host = setting_of(source, "HOST")
            raise SettingError(place, f"set, but {host} is not", f"Set {host} too, or remove it.")
        how = _duty(values, source), _snapshot_seconds(values, source)
        yield source, SourceSettings(replace(address, source=source), *how, place)


def _duty(values: Mapping[str, str], source: str = "") -> float:
    return _percent(values, setting_of(source, "DUTY"), DUTY)


def _snapshot_seconds(values: Mapping[str, str], source: str = "") -> float:
    name = setting_of(source, "SNAPSHOT_SECONDS")
    return _seconds(values, name, SNAPSHOT_SECONDS, MAX_SNAPSHOT_SECONDS)


def read_address(values: Mapping[str, str], prefix: str, default_port: int) -> Address | None:
    """The server of the settings with this prefix; None if its host is not set."""
    host = values.get(f"{prefix}_HOST", "")
    if not host:
        for part in ("PORT", "USER", "PASSWORD", "DATABASE", "TLS", "TLS_CA"):
            name = f"{prefix}_{part}"
            if values.get(name) or values.get(f"{name}_FILE"):
                instead = " to use the embedded server" if f"{prefix}_HOST" in SETTINGS else ""
                raise SettingError(
                    f"{prefix}_HOST",
                    f"not set, but {name} is",
                    f"Set {prefix}_HOST too, or none of them{instead}.",
                )
        return None
    if "," in host:
        # libpq would take it for several hosts, which are not equally far
        raise SettingError(f"{prefix}_HOST", f'"{host}" has a comma', "Set one host.")
    return Address(
        host=host,
        port=_port(values, f"{prefix}_PORT", default_port),
        user=_required(values, f"{prefix}_USER"),
        password=read_password(values, f"{prefix}_PASSWORD"),
        database=_required(values, f"{prefix}_DATABASE") if prefix == "WAREHOUSE" else "",
        tls=read_tls(values, prefix, host),
    )


def _required(values: Mapping[str, str], name: str) -> str:
    if not values.get(name):
        found = NAMED_SOURCE_SETTING.fullmatch(name)
        meaning = SETTINGS[setting_of("", found[2]) if found else name]
        meaning = meaning.replace(setting_of("", "PASSWORD"), name) if found else meaning
        raise SettingError(name, "not set", f"Set it: {meaning}.")
    return values[name]


def _port(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingError(name, f'"{text}" is not a port', "Set a number from 1 to 65535.")
    return int(text)


def _percent(values: Mapping[str, str], name: str, default: float) -> float:
    text = values.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise SettingError(name, f'"{text}" is not a percentage', "Set a number from 1 to 100.")
    return int(text) / 100


def _seconds(values: Mapping[str, str], name: str, default: float, most: int) -> float:
    text = values.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII) or float(text) > most:
        raise SettingError(
            name, f'"{text}" is not a time', f"Set a number of seconds from 0 to {most}."
        )
    return float(text)


def _demo_domains(text: str) -> frozenset[str] | None:
    names = frozenset(text.replace(" ", "").split(",")) - {""}
    if "off" in names and len(names) > 1:
        raise SettingError(
            "DEMO_DOMAINS", f'"{text}" contains off and a name', "Set off, or the names to keep."
        )
    if text and not names:
        # dbt would take it for off
        raise SettingError(
            "DEMO_DOMAINS", f'"{text}" names no domain', "Set off or names, or remove it."
        )
    return names - {"off"} if names else None


def _is(values: Mapping[str, str], name: str, wanted: str, other: str = "") -> bool:
    """True if the setting is the wanted word; the other one is its default."""
    text = values.get(name, "")
    if text not in ("", wanted, other):
        raise SettingError(name, f'"{text}" is not {wanted}', f"Set {wanted}, or remove it.")
    return text == wanted


def _metrics_file(text: str) -> Path | None:
    if text and not text.endswith(".prom"):
        raise SettingError(
            "METRICS_FILE",
            f'"{text}" does not end with .prom',
            "node_exporter reads only files of such names: add it.",
        )
    return Path(text).expanduser() if text else None


def read_password(values: Mapping[str, str], name: str) -> str:
    """The password of this setting, or of the file that `<name>_FILE` names."""
    file = values.get(f"{name}_FILE")
    if values.get(name) and file:
        raise SettingError(name, f"set, and so is {name}_FILE", "Set one of the two.")
    if not file:
        return _required(values, name)
    text = read_secret(f"{name}_FILE", file)
    if not text.strip():
        raise SettingError(f"{name}_FILE", f'"{file}" is empty', "Write the password into it.")
    text = text.rstrip("\r\n")
    _check_characters(f"{name}_FILE", text)
    return text


def _check_characters(name: str, text: str) -> None:
    """Refuse what drivers do not accept, without showing it: the text may be a password."""
    if SURROGATE.search(text):
        raise SettingError(name, "has bytes that are not UTF-8", "Set it in UTF-8.")
    found = CONTROL_CHARACTER.search(text)
    if found:
        raise SettingError(
            name, f"contains the control character {found[0]!r}", "Remove that character."
        )

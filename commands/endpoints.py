"""The endpoints of a command: the servers that are set, or the embedded ones, which it starts."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256

import embedded
from common.errors import ServerError, SettingError
from common.settings import (
    DUTY,
    SNAPSHOT_SECONDS,
    Address,
    Settings,
    SourceSettings,
    setting_of,
)
from embedded.servers import HOME
from extract.limits import LIMITS, Limits
from operational.seed import seed

EMBEDDED_ADDRESSES = "TIDEMARK_EMBEDDED"
"""The variable in which `env` marks those of its addresses that belong to embedded servers."""


@dataclass(frozen=True)
class Endpoints:
    """The servers that a command works on, and how much it may ask of the sources.

    `operational` is the source without a name; None if it is not set and the command does not use
    it. `named` are the sources with a name. `embedded` is set if one of the servers is embedded.
    `demo_switch` is the setting DEMO_DOMAINS, for dbt. `warehouse` has the account of its owner, or
    the loader's if that is not set, and `roles` has the roles with an account of their own.
    """

    operational: Address | None
    warehouse: Address
    embedded: embedded.Servers | None
    duty: float = DUTY
    snapshot_seconds: float = SNAPSHOT_SECONDS
    limits: Limits = LIMITS
    named: dict[str, SourceSettings] = field(default_factory=dict)
    demo_switch: str = ""
    roles: dict[str, Address] = field(default_factory=dict)
    has_owner: bool = True

    def account(self, role: str) -> Address:
        """The warehouse with the account of a role; with the owner's, if the role has none."""
        return self.roles.get(role, self.warehouse)

    @property
    def loader(self) -> Address:
        return self.account("loader")

    @property
    def transformer(self) -> Address:
        return self.account("transformer")

    @property
    def backup(self) -> Address:
        return self.account("backup")

    def source(self, name: str) -> SourceSettings:
        """The source with this name; if it is empty, the one without. Raises SettingError."""
        if not name and self.operational:
            return SourceSettings(self.operational, self.duty, self.snapshot_seconds)
        if name not in self.named:
            host, user, password = (setting_of(name, part) for part in ("HOST", "USER", "PASSWORD"))
            raise SettingError(
                host,
                f'not set, but tables of the source "{name}" are declared',
                f"Set {host}, {user} and {password}, or remove `source: {name}` from them.",
            )
        return self.named[name]

    def is_embedded(self, source: Address) -> bool:
        return self.embedded is not None and source == self.embedded.operational


def known_endpoints(settings: Settings) -> Endpoints:
    """The warehouse of the settings. An embedded one is not started. Raises ServerError."""
    return prepare_endpoints(settings, sources=(), may_start=False)


def prepare_endpoints(
    settings: Settings, sources: Collection[str] = ("",), may_start: bool = True
) -> Endpoints:
    """The servers of the settings. Embedded ones are started, and created if they do not exist.

    `sources` are the names of the sources that the command reads.
    """
    known = embedded.known()
    operational = _set_address(settings.operational, [known.operational] if known else [])
    warehouse = _set_address(settings.warehouse, warehouses_of(known) if known else [])
    roles, has_owner = settings.roles, settings.has_owner
    servers = None
    if not warehouse or (operational is None and "" in sources):
        servers = embedded.start() if may_start else known
        if servers is None:
            raise ServerError(
                "embedded warehouse", "it was never started", "Start with `python run.py`."
            )
        if operational is None and may_start:
            seed(servers, settings.demo_domains)
        operational = operational or servers.operational
        if not warehouse:
            warehouse, roles, has_owner = servers.warehouse, servers.roles, True
    return Endpoints(
        operational,
        warehouse,
        servers,
        settings.duty,
        settings.snapshot_seconds,
        named=settings.sources,
        demo_switch=settings.demo_switch,
        roles=roles,
        has_owner=has_owner,
    )


def warehouses_of(servers: embedded.Servers) -> list[Address]:
    """The address of the embedded warehouse with each of its accounts."""
    return [servers.warehouse, *servers.roles.values()]


def fingerprint(address: Address) -> str:
    """A hash of the address of an embedded server, without its port.

    It identifies the servers of this checkout, even one that no longer exists, since each new
    server has a new password.
    """
    facts = "\0".join(
        (str(HOME), address.host, address.user, address.password, str(address.tls.mode))
    )
    return sha256(facts.encode()).hexdigest()[:32]


def _set_address(configured: Address | None, known: Iterable[Address]) -> Address | None:
    """The address that is set; None if none is, or if it is one of the embedded server.

    The embedded server is recognized by its password, which is random for this checkout, since its
    port may have changed; one that is gone, by the fingerprint that `env` wrote.
    """
    if configured is None:
        return None
    if fingerprint(configured) in os.environ.get(EMBEDDED_ADDRESSES, "").split():
        return None
    is_known = any(replace(configured, port=one.port) == one for one in known)
    return None if is_known else configured

"""Which servers a command works on: those that are set, or the embedded ones, started."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from hashlib import sha256

import embedded
from common.errors import SettingError
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
"""The variable by which `env` says which of the addresses it wrote are of embedded servers."""


@dataclass(frozen=True)
class Connected:
    """The addresses of a command. `embedded` is set where one of them is the embedded server's.

    `operational` is the source without a name, None where a command has no use for one that is not
    set; `named` are the others.
    """

    operational: Address | None
    warehouse: Address
    embedded: embedded.Servers | None
    duty: float = DUTY
    snapshot_seconds: float = SNAPSHOT_SECONDS
    limits: Limits = LIMITS
    named: dict[str, SourceSettings] = field(default_factory=dict)

    def source(self, name: str) -> SourceSettings:
        """The source of this name, or the one without a name. Raises SettingError."""
        if not name and self.operational:
            return SourceSettings(self.operational, self.duty, self.snapshot_seconds)
        if name not in self.named:
            host, user, password = (setting_of(name, part) for part in ("HOST", "USER", "PASSWORD"))
            raise SettingError(
                host,
                f"not set, and tables of the source {name} are declared",
                f"Set {host}, {user} and {password}, or take `source: {name}` out of them.",
            )
        return self.named[name]

    def is_embedded(self, source: Address) -> bool:
        return self.embedded is not None and source == self.embedded.operational


def connect_servers(settings: Settings, sources: Collection[str] = ("",)) -> Connected:
    """The servers of the settings; the embedded ones are started, and made where they are not.

    `sources` are the names of those that the command reads.
    """
    known = embedded.known()
    operational = _set_address(settings.operational, known.operational if known else None)
    warehouse = _set_address(settings.warehouse, known.warehouse if known else None)
    how = settings.duty, settings.snapshot_seconds
    if warehouse and (operational or "" not in sources):
        return Connected(operational, warehouse, None, *how, named=settings.sources)
    servers = embedded.start()
    if operational is None:
        seed(servers)
    return Connected(
        operational or servers.operational,
        warehouse or servers.warehouse,
        servers,
        *how,
        named=settings.sources,
    )


def fingerprint(address: Address) -> str:
    """What tells an embedded server's address of this checkout from every other, without its port.

    It outlives the server, whose password is made anew with it.
    """
    facts = "\0".join((str(HOME), address.host, address.user, address.password))
    return sha256(facts.encode()).hexdigest()[:32]


def _set_address(configured: Address | None, known: Address | None) -> Address | None:
    """The address that is set, None where none is or where it is the embedded server's own.

    Its password, made at random for this checkout, is what tells; its port may have moved. Of
    servers that are gone, with their passwords, the lines that `env` wrote for them tell.
    """
    if configured is None:
        return None
    if fingerprint(configured) in os.environ.get(EMBEDDED_ADDRESSES, "").split():
        return None
    is_known = known is not None and replace(configured, port=known.port) == known
    return None if is_known else configured

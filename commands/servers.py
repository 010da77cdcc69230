"""Which servers a command works on: those that are set, or the embedded ones, started."""

import os
from dataclasses import dataclass, replace
from hashlib import sha256

import embedded
from common.settings import DUTY, SNAPSHOT_SECONDS, Address, Settings
from embedded.servers import HOME
from operational.seed import seed

EMBEDDED_ADDRESSES = "TIDEMARK_EMBEDDED"
"""The variable by which `env` says which of the addresses it wrote are of embedded servers."""


@dataclass(frozen=True)
class Connected:
    """The addresses of a command. `embedded` is set where one of them is the embedded server's."""

    operational: Address
    warehouse: Address
    embedded: embedded.Servers | None
    duty: float = DUTY
    snapshot_seconds: float = SNAPSHOT_SECONDS

    @property
    def source_is_embedded(self) -> bool:
        return self.embedded is not None and self.operational == self.embedded.operational


def connect_servers(settings: Settings) -> Connected:
    """The servers of the settings; the embedded ones are started, and made where they are not."""
    servers = embedded.known()
    uses_operational = _is_embedded(settings.operational, servers and servers.operational)
    uses_warehouse = _is_embedded(settings.warehouse, servers and servers.warehouse)
    if not uses_operational and not uses_warehouse:
        return Connected(
            settings.operational,
            settings.warehouse,
            None,
            settings.duty,
            settings.snapshot_seconds,
        )
    servers = embedded.start()
    if uses_operational:
        seed(servers)
    return Connected(
        servers.operational if uses_operational else settings.operational,
        servers.warehouse if uses_warehouse else settings.warehouse,
        servers,
        settings.duty,
        settings.snapshot_seconds,
    )


def fingerprint(address: Address) -> str:
    """What tells an embedded server's address of this checkout from every other, without its port.

    It outlives the server, whose password is made anew with it.
    """
    facts = "\0".join((str(HOME), address.host, address.user, address.password))
    return sha256(facts.encode()).hexdigest()[:32]


def _is_embedded(configured: Address | None, known: Address | None) -> bool:
    """True where nothing is configured, or the embedded server's own address is.

    Its password, made at random for this checkout, is what tells; its port may have moved. Of
    servers that are gone, with their passwords, the lines that `env` wrote for them tell.
    """
    if configured is None:
        return True
    if fingerprint(configured) in os.environ.get(EMBEDDED_ADDRESSES, "").split():
        return True
    return known is not None and replace(configured, port=known.port) == known

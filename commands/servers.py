"""Which servers a command works on: those that are set, or the embedded ones, started."""

import os
from dataclasses import dataclass, replace
from hashlib import sha256

import embedded
from common.settings import DUTY, SNAPSHOT_SECONDS, Address, Settings
from embedded.servers import HOME
from extract.limits import LIMITS, Limits
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
    limits: Limits = LIMITS

    @property
    def source_is_embedded(self) -> bool:
        return self.embedded is not None and self.operational == self.embedded.operational


def connect_servers(settings: Settings) -> Connected:
    """The servers of the settings; the embedded ones are started, and made where they are not."""
    known = embedded.known()
    operational = _set_address(settings.operational, known.operational if known else None)
    warehouse = _set_address(settings.warehouse, known.warehouse if known else None)
    how = settings.duty, settings.snapshot_seconds
    if operational and warehouse:
        return Connected(operational, warehouse, None, *how)
    servers = embedded.start()
    if operational is None:
        seed(servers)
    return Connected(
        operational or servers.operational, warehouse or servers.warehouse, servers, *how
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

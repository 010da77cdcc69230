"""Which servers a command works on: those that are set, or the embedded ones, started."""

from dataclasses import dataclass, replace

import embedded
from common.settings import DUTY, SNAPSHOT_SECONDS, Address, Settings
from operational.seed import seed


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
    """The servers of the settings; the embedded ones are started, and filled when new."""
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


def _is_embedded(configured: Address | None, known: Address | None) -> bool:
    """True where nothing is configured, or the embedded server's own address is.

    Its password, made at random for this checkout, is what tells; its port may have moved.
    """
    if configured is None:
        return True
    if known is None:
        return False
    return replace(configured, port=known.port) == known

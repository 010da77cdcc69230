"""Which database the consumer of a stream writes to."""

from dataclasses import replace

from commands.endpoints import Endpoints
from common.settings import Address
from streaming.settings import DATABASE, StreamSettings


def stream_database(settings: StreamSettings, endpoints: Endpoints) -> Address | None:
    """The database that is set, or that of the embedded server; None if there is neither."""
    servers = endpoints.embedded
    if settings.database or servers is None or endpoints.operational != servers.operational:
        return settings.database
    return replace(servers.operational_admin, database=DATABASE)

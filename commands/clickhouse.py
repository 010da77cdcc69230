"""The ClickHouse of a command: the one that is set, or that of this checkout, which is started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import embedded
from commands.endpoints import EMBEDDED_ADDRESSES, fingerprint
from common.settings import Address
from publishing.client import Client
from publishing.publisher import Target
from publishing.settings import PublishSettings
from publishing.storage import Place

EMBEDDED = "embedded"
"""What the state calls the server of this checkout, whose port may change."""


@dataclass(frozen=True)
class ClickHouseChoice:
    """Which ClickHouse is used; `address` is None if it is that of this checkout."""

    address: Address | None
    cluster: str
    in_runs: bool


def choose(settings: PublishSettings) -> ClickHouseChoice:
    """The ClickHouse of the settings; what `env` has printed of the embedded one is no setting."""
    address = settings.address
    if address is not None and _is_embedded(address):
        address = None
    in_runs = settings.in_runs
    if in_runs is None:
        in_runs = address is not None
    return ClickHouseChoice(address, settings.cluster, in_runs)


def label_of(settings: PublishSettings) -> str:
    """What the state calls the ClickHouse of the settings."""
    address = choose(settings).address
    return f"{address.host}:{address.port}/{address.database}" if address else EMBEDDED


@contextmanager
def open_target(settings: PublishSettings) -> Iterator[Target]:
    """A connection to ClickHouse; the embedded one is started. Raises ServerError."""
    chosen = choose(settings)
    address = chosen.address or embedded.start_clickhouse()
    with Client(address) as client:
        yield Target(client, Place(address.database, chosen.cluster), label_of(settings))


def _is_embedded(address: Address) -> bool:
    known = embedded.known_clickhouse()
    if known is not None and replace(known, port=address.port) == address:
        return True
    return fingerprint(address) in os.environ.get(EMBEDDED_ADDRESSES, "").split()

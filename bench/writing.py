"""An application that writes to the source, in a process of its own."""

import random
import time
from collections.abc import Sequence

import embedded
from bench.laboratory import DATABASE
from operational.connection import connection as operational_connection

WRITES_PER_SECOND = 10
MEDIA_WRITES = (
    "update media set type = 1 - type, updated_at = now() where id = %s",
    "delete from media where id = %s",
    "insert into media (s3_path, format, type, updated_at)"
    " values (concat('/new/', %s), 'jpg', 1, now())",
)


def write(
    servers: embedded.Servers,
    rows: int,
    seconds: float,
    seed: int,
    statements: Sequence[str] = MEDIA_WRITES,
) -> list[float]:
    """The latencies in seconds of ten statements a second, each with its commit, taking turns.

    Each statement takes a random number of the first `rows`. In our own process the writer would
    wait for our Python, not for the server.
    """
    chance = random.Random(seed)
    latencies = []
    with operational_connection(servers.operational_admin, DATABASE) as connection:
        cursor = connection.cursor()
        began = time.monotonic()
        for number in range(int(seconds * WRITES_PER_SECOND)):
            time.sleep(max(0.0, began + number / WRITES_PER_SECOND - time.monotonic()))
            started = time.monotonic()
            cursor.execute(statements[number % len(statements)], (chance.randint(1, rows),))
            connection.commit()
            latencies.append(time.monotonic() - started)
    return latencies

"""The free space of a disk, looked at before a backup or a restore begins to fill it."""

import shutil
from contextlib import suppress
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS
from backup.repository.backup import read_summary
from backup.repository.directory import complete_backups
from backup.repository.manifest import DamagedBackup
from common.errors import TidemarkError
from common.rows import one_value
from common.settings import Address
from common.sizes import size_text

LEAST_SHARE = 0.02
"""A dump is hardly ever a smaller share of the database than this, however well it compresses."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
PORT_LINE = 3

_LAYER_BYTES = """
    select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
    from pg_class
    where relnamespace::regnamespace::text = any(%s) and relkind in ('r', 'm')
"""


class NotEnoughSpace(TidemarkError):
    """A disk has less free space than a backup or a restore needs; nothing was written."""

    def __init__(self, subject: str, needed: int, free: int, hint: str) -> None:
        self.needed = needed
        self.free = free
        super().__init__(
            subject,
            f"{size_text(free)} ({free} bytes) are free, about {size_text(needed)}"
            f" ({needed} bytes) are needed; nothing was written",
            hint,
        )


def database_bytes(cursor: Cursor) -> int:
    """The size of the whole database on the server's disk."""
    cursor.execute("select pg_database_size(current_database())")
    return int(one_value(cursor))


def layer_bytes(cursor: Cursor) -> dict[str, int]:
    """The size of each layer on the server's disk, with its indexes."""
    found = {}
    for layer, schemas in LAYERS.items():
        cursor.execute(_LAYER_BYTES, (list(schemas),))
        found[layer] = int(one_value(cursor))
    return found


def check_for_backup(directory: Path, database: int) -> None:
    """Raise NotEnoughSpace if a backup of a database of so many bytes does not fit.

    It is expected to be as large a share of the database as the newest backup was.
    """
    needed = int(database * _share(directory))
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise NotEnoughSpace(
            f"backup directory {directory}",
            needed,
            free,
            "Free space there, set BACKUP_DIRECTORY to a larger disk, or keep fewer backups.",
        )


def _share(directory: Path) -> float:
    for path in reversed(complete_backups(directory)):
        with suppress(DamagedBackup):
            summary = read_summary(path)
            if summary.database_bytes:
                return summary.size / summary.database_bytes
    return LEAST_SHARE


def no_room(warehouse: Address, needed: int, free: int) -> NotEnoughSpace:
    """The error of a restore for which there is too little space on the server's disk."""
    return NotEnoughSpace(
        f"warehouse {warehouse}",
        needed,
        free,
        "Free space on the server's disk: the present layers stay until the restored ones are"
        " complete. If you know better than this estimate, name the backup with --backup.",
    )


def free_on_server(cursor: Cursor, warehouse: Address) -> int | None:
    """The free space of the disk of the database; None unless the server runs on this machine.

    That is the disk of its tablespace, into which everything is restored. A server behind a
    forwarded port may report a folder that this machine has too, so that the folder counts only if
    the server that runs in it listens on this port.
    """
    if warehouse.host not in LOCAL_HOSTS:
        return None
    cursor.execute("select setting from pg_settings where name = 'data_directory'")
    row = cursor.fetchone()
    if row is None:
        return None
    folder = Path(row[0])
    cursor.execute(
        "select pg_tablespace_location(dattablespace) from pg_database"
        " where datname = current_database()"
    )
    place = folder / one_value(cursor)
    try:
        lines = (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        if lines[PORT_LINE] != str(warehouse.port):
            return None
        return shutil.disk_usage(place).free
    except (OSError, IndexError):
        return None

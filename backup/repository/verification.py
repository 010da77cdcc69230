"""`verified.json`, which says that a backup was restored and compared; no manifest names it."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from backup.repository.backup import read_summary
from backup.repository.files import write_atomically
from backup.repository.manifest import DamagedBackup, manifest_checksum

VERIFIED = "verified.json"


@dataclass(frozen=True)
class Verification:
    """A restore of a whole backup into a scratch database: what was compared, and its time.

    `manifest` is the checksum of the manifest, so that the file is worth nothing beside another
    backup. `size` is that of the backup's files, in bytes. `seconds` is the time of the restore,
    `comparing_seconds` the part of it in which the restored tables were compared.
    """

    backup: str
    manifest: str
    verified_at: str
    run_id: str
    tidemark: str
    server: str
    layers: list[str]
    tables: int
    rows: int
    size: int
    seconds: float
    comparing_seconds: float

    def write(self, backup: Path) -> None:
        """Write it into the backup, in place of an earlier one."""
        write_atomically(backup / VERIFIED, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def read(cls, backup: Path) -> Self | None:
        """The verification of a backup; None if it has none of its present manifest."""
        try:
            facts = json.loads((backup / VERIFIED).read_bytes())
            found = cls(**{field.name: facts[field.name] for field in fields(cls)})
            return found if found.manifest == manifest_checksum(backup) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None


def is_verified(backup: Path) -> bool:
    """True if the backup was restored and compared as it is now, as far as the sizes show."""
    if Verification.read(backup) is None:
        return False
    try:
        read_summary(backup)
    except DamagedBackup:
        return False
    return True


def forget_verification(backup: Path) -> None:
    """Remove what an earlier restore showed, once a later one showed the opposite."""
    (backup / VERIFIED).unlink(missing_ok=True)

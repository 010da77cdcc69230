"""`verified.json`, which says that a backup was restored and compared; no manifest names it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from backup.layers import LAYERS
from backup.repository.backup import read_summary
from backup.repository.files import write_atomically
from backup.repository.manifest import DamagedBackup, manifest_checksum
from warehouse.run_log import LoggedVerification

VERIFIED = "verified.json"
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Verification:
    """A restore of a whole backup into a scratch database: what was compared, and its time.

    `manifest` is the checksum of the manifest, so that the file is worth nothing beside another
    backup. `size` is that of the backup's files, in bytes. `seconds` is the time of the restore,
    `checking_seconds` the part of it in which the files were checked, `comparing_seconds` the part
    in which the restored tables were compared, `jobs` the number of sessions. What only an older
    file or the run log says of it has no more than the first ones.
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
    checking_seconds: float | None = None
    jobs: int | None = None
    is_encrypted: bool | None = None

    def write(self, backup: Path) -> None:
        """Write it into the backup, in place of an earlier one."""
        write_atomically(backup / VERIFIED, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def read(cls, backup: Path) -> "Verification | None":
        """The verification of a backup; None if it has none of its present manifest."""
        # few commands need it, and its import is slow
        from pydantic import TypeAdapter, ValidationError

        try:
            with (backup / VERIFIED).open("rb") as file:
                data = file.read(MOST_BYTES)
            found = TypeAdapter(cls).validate_json(data, strict=True)
            return found if found.manifest == manifest_checksum(backup) else None
        except (OSError, ValidationError):
            return None


def verification_of(backup: Path, logged: Iterable[LoggedVerification] = ()) -> Verification | None:
    """The verification of a backup as it is now, as far as the sizes show.

    It is that of its file or, if another machine has verified a copy of it, that of the run log.
    Raises DamagedBackup.
    """
    found = Verification.read(backup)
    ours = [one for one in logged if one.backup == backup.name]
    if found is None and not ours:
        return None
    summary = read_summary(backup)
    if found is not None:
        return found
    checksum = manifest_checksum(backup)
    for one in ours:
        if one.manifest == checksum:
            return Verification(
                backup=backup.name,
                manifest=checksum,
                verified_at=one.verified_at.isoformat(timespec="seconds"),
                run_id=one.run_id,
                tidemark="",
                server="",
                layers=[layer for layer in LAYERS if layer in summary.layers],
                tables=summary.tables,
                rows=summary.rows,
                size=summary.size,
                seconds=one.seconds,
                comparing_seconds=0.0,
                is_encrypted=summary.is_encrypted,
            )
    return None


def is_verified(backup: Path) -> bool:
    """True if the backup was restored and compared as it is now, as far as the sizes show."""
    try:
        return verification_of(backup) is not None
    except DamagedBackup:
        return False


def adopt_verifications(backups: Iterable[Path], logged: Iterable[LoggedVerification]) -> None:
    """Write what the run log says of backups, since its rows are purged before a backup may be."""
    known = list(logged)
    for backup in backups if known else ():
        if Verification.read(backup) is None:
            try:
                found = verification_of(backup, known)
            except DamagedBackup:
                continue
            if found is not None:
                found.write(backup)


def forget_verification(backup: Path) -> None:
    """Remove what an earlier restore showed, once a later one showed the opposite."""
    (backup / VERIFIED).unlink(missing_ok=True)

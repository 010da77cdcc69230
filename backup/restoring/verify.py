"""A verification: a backup is restored into a scratch database and compared with its manifest."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg2

from backup.layers import LAYERS
from backup.repository.backup import OpenBackup
from backup.repository.directory import find_backup, locked
from backup.repository.encryption import Key
from backup.repository.manifest import DamagedBackup, manifest_checksum
from backup.repository.verification import Verification, forget_verification
from backup.restoring.restore import Restored, Way, open_in_time, replace_layers
from backup.restoring.rows import RestoredDiffers
from backup.restoring.scratch import scratch_database
from backup.server.failures import translated_errors
from backup.server.programs import ProgramFailed, Programs
from common.backup_settings import BackupSettings
from common.errors import SettingError
from common.log import get_logger
from common.rows import one_value
from common.settings import Address
from common.version import own_version
from warehouse.connection import connect

log = get_logger(__name__)


def check_key(settings: BackupSettings, backup_name: str | None) -> None:
    """Raise SettingError if a backup that is verified as soon as it is made cannot be opened."""
    if settings.identity_file:
        Key.read(settings.identity_file)
    elif settings.recipients and backup_name is None:
        raise SettingError(
            "BACKUP_AGE_IDENTITY_FILE",
            "not set, but --verify has to open the backup that is encrypted here",
            "Set it; or make the backup here, and verify it where the private key is, with"
            " `python run.py backup --verify --backup NAME`.",
        )


def verify(
    warehouse: Address,
    settings: BackupSettings,
    backup_name: str | None,
    programs: tuple[Path, ...],
    run_id: str,
) -> Verification:
    """Restore a backup, the newest for None, beside the warehouse, and record that it was equal.

    All layers are restored and compared as `restore` does it, but not in the warehouse, and the
    transaction is rolled back, so that no role remains that it had to create. The caller holds a
    lock that keeps other verifications away.

    Raises DamagedBackup, RestoredDiffers, ProgramFailed and errors of the server; if it is the
    backup that failed, it counts as not verified any more. Raises SettingError, WrongKey,
    NotEnoughSpace and NotRestorable.
    """
    path = find_backup(settings.directory, backup_name)
    with (
        translated_errors(f"verification of {path.name}"),
        locked(settings.directory, exclusive=False),
    ):
        try:
            opened, seconds = open_in_time(path, settings)
            way = Way(settings.jobs, seconds, is_trial=True)
            with scratch_database(warehouse) as scratch:
                restored = replace_layers(opened, tuple(LAYERS), Programs(programs, scratch), way)
        except BaseException as error:
            if _disproves(error):
                forget_verification(path)
            raise
        verification = _describe(opened, restored, warehouse, run_id)
        verification = replace(verification, jobs=settings.jobs)
        verification.write(path)
    log.info("%s", verification)
    return verification


def _disproves(error: BaseException) -> bool:
    """True if this backup cannot be restored; false if something else was missing for it."""
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return False
    if isinstance(error, ProgramFailed):
        return not error.is_killed
    of_the_script = psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.IntegrityError
    return isinstance(error, (DamagedBackup, RestoredDiffers, *of_the_script))


def _describe(
    backup: OpenBackup, restored: Restored, warehouse: Address, run_id: str
) -> Verification:
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute("show server_version")
        server = one_value(cursor)
    return Verification(
        backup=backup.name,
        manifest=manifest_checksum(backup.path),
        verified_at=datetime.now(UTC).isoformat(timespec="seconds"),
        run_id=run_id,
        tidemark=own_version(),
        server=server,
        layers=list(restored.layers),
        tables=restored.tables,
        rows=restored.rows,
        size=backup.manifest.summary.size,
        seconds=round(restored.seconds, 3),
        comparing_seconds=round(restored.comparing_seconds, 3),
        checking_seconds=round(restored.checking_seconds, 3),
        is_encrypted=backup.key is not None,
    )

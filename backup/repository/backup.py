"""Reading a backup: no file is used before all of them were found to be as they were written."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from backup.layers import LAYERS
from backup.repository.encryption import Key
from backup.repository.manifest import (
    CHECKSUM,
    COVER_FORMAT,
    ENCRYPTED,
    FORMAT,
    MANIFEST,
    Cover,
    DamagedBackup,
    File,
    Manifest,
    Summary,
    sha256_of,
)
from common.errors import SettingError

ENCRYPTED_MANIFEST = MANIFEST + ENCRYPTED
MOST_BYTES = 256 * 1024**2
"""No manifest is larger, not even one with a million tables."""

Read = TypeVar("Read", Manifest, Cover)


@dataclass(frozen=True)
class OpenBackup:
    """A backup all of whose files are unchanged; encrypted if there is a key, which opens it."""

    path: Path
    manifest: Manifest
    key: Key | None = None

    @property
    def name(self) -> str:
        return self.path.name

    def archive(self, layer: str) -> Path:
        """The dump of a layer."""
        return self.path / archive_of(layer, self.manifest.summary.is_encrypted)


def open_backup(path: Path, identity_file: Path | None = None) -> OpenBackup:
    """Check every file of a backup, and read its manifest, which may need a private key.

    Raises DamagedBackup, naming the file; SettingError if the backup is encrypted and there is no
    key, and WrongKey if it is another one.
    """
    found = _checked(path)
    if isinstance(found, Manifest):
        opened = OpenBackup(path, found)
    elif identity_file is None:
        raise SettingError(
            "BACKUP_AGE_IDENTITY_FILE",
            f"not set, but backup {path.name} is encrypted",
            "Set it to the file with the private key of the BACKUP_AGE_RECIPIENT of that time.",
        )
    else:
        key = Key.read(identity_file)
        opened = OpenBackup(path, _inner_manifest(path, found, key), key)
    for layer in LAYERS:
        _check_layer(path, layer, opened.manifest)
    return opened


def _checked(backup: Path) -> Manifest | Cover:
    found = _parse_either(backup, _checked_text(backup))
    for name, expected in sorted(found.files.items()):
        _check_file(backup, name, expected)
    return found


def read_summary(backup: Path) -> Summary:
    """The summary of a backup whose files have their sizes; what is in them is not read.

    Raises DamagedBackup, naming the file.
    """
    found = _parse_either(backup, _checked_text(backup))
    for name, expected in sorted(found.files.items()):
        _check_size(backup, name, expected)
    return found.summary


def archive_of(layer: str, is_encrypted: bool) -> str:
    """The name of a layer's dump: a folder, or an encrypted file."""
    return f"{layer}.dump{ENCRYPTED}" if is_encrypted else layer


def _inner_manifest(backup: Path, cover: Cover, key: Key) -> Manifest:
    """The manifest of an encrypted backup, which knows what the cover may say."""
    if ENCRYPTED_MANIFEST not in cover.files:
        raise DamagedBackup(backup, MANIFEST, f"files.{ENCRYPTED_MANIFEST}: missing")
    data = key.decrypted(backup / ENCRYPTED_MANIFEST)
    manifest = _parse(Manifest, backup, ENCRYPTED_MANIFEST, data)
    others = {name: file for name, file in cover.files.items() if name != ENCRYPTED_MANIFEST}
    if (manifest.files, manifest.summary) != (others, cover.summary):
        raise DamagedBackup(backup, MANIFEST, "altered, it differs from the encrypted manifest")
    return manifest


def _parse_either(backup: Path, data: bytes) -> Manifest | Cover:
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedBackup(backup, MANIFEST, f"not JSON ({error})") from error
    known = facts.get("format") if isinstance(facts, dict) else None
    if isinstance(known, bool) or known not in (FORMAT, COVER_FORMAT):
        raise DamagedBackup(backup, MANIFEST, f"its format is neither {FORMAT} nor {COVER_FORMAT}")
    if known == FORMAT:
        return _parse(Manifest, backup, MANIFEST, data)
    return _parse(Cover, backup, MANIFEST, data)


def _parse(kind: type[Read], backup: Path, file: str, data: bytes) -> Read:
    # few commands need it, and its import is slow
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DamagedBackup(backup, file, f"{place}: {first['msg'].lower()}") from error


def _checked_text(backup: Path) -> bytes:
    for name in (MANIFEST, CHECKSUM):
        if not (backup / name).is_file():
            raise DamagedBackup(backup, name, "missing")
        if (size := (backup / name).stat().st_size) > MOST_BYTES:
            raise DamagedBackup(backup, name, f"{size} bytes, more than the limit of {MOST_BYTES}")
    data = (backup / MANIFEST).read_bytes()
    if (backup / CHECKSUM).read_bytes().split()[:1] != [hashlib.sha256(data).hexdigest().encode()]:
        raise DamagedBackup(backup, MANIFEST, f"altered, its checksum is not that of {CHECKSUM}")
    return data


def _check_layer(backup: Path, layer: str, manifest: Manifest) -> None:
    """Refuse a layer with files that pg_restore could read but the manifest does not name."""
    if layer not in manifest.layers:
        raise DamagedBackup(backup, MANIFEST, f"layers.{layer}: missing")
    is_encrypted = manifest.summary.is_encrypted
    archive = archive_of(layer, is_encrypted)
    first = archive if is_encrypted else f"{archive}/toc.dat"
    if first not in manifest.files:
        raise DamagedBackup(backup, MANIFEST, f"files.{first}: missing")
    for path in sorted((backup / archive).rglob("*")):
        name = path.relative_to(backup).as_posix()
        if name not in manifest.files and not path.is_dir():
            raise DamagedBackup(backup, name, "not in the manifest")


def _check_file(backup: Path, name: str, expected: File) -> None:
    path = _check_size(backup, name, expected)
    if sha256_of(path) != expected.sha256:
        raise DamagedBackup(backup, name, "altered, its checksum is not that of the manifest")


def _check_size(backup: Path, name: str, expected: File) -> Path:
    path = backup / name
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise DamagedBackup(backup, MANIFEST, f'files: "{name}" is not within the backup')
    if not path.is_file():
        raise DamagedBackup(backup, name, "missing")
    size = path.stat().st_size
    if size != expected.size:
        raise DamagedBackup(backup, name, f"{size} bytes instead of {expected.size}")
    return path

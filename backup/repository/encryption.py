"""Encryption with age: for public keys when a backup is written, by a private key when it is read.

The contents pass through memory in small parts, and never reach the disk unencrypted.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol

from backup.repository.manifest import DamagedBackup, File
from common.backup_settings import PRIVATE_KEY, not_a_public_key
from common.errors import SettingError, TidemarkError

_PASSPHRASE = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")


class WrongKey(TidemarkError):
    """None of the private keys opens an encrypted backup; nothing was changed."""

    def __init__(self, backup: str, identity_file: Path) -> None:
        super().__init__(
            f"backup {backup}",
            f"no private key in {identity_file} opens it; nothing was changed",
            "Set BACKUP_AGE_IDENTITY_FILE to the private key of the public key for which it was"
            " encrypted.",
        )


class Source(Protocol):
    """What can be read in parts."""

    def read(self, size: int, /) -> bytes: ...


class Target:
    """What age writes to. Its library does not tell every error of a file: `error` is the first."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            self.error = self.error or error
            raise

    @property
    def described(self) -> File:
        """Size and checksum of what was written."""
        return File(self._size, self._hash.hexdigest())


def check_recipients(recipients: Sequence[str]) -> None:
    """Raise SettingError if one of the public keys is invalid."""
    for key in recipients:
        _recipient(key)


def encrypt(source: Source, path: Path, recipients: Sequence[str]) -> File:
    """Create a file with what is read from the source, encrypted for the public keys.

    It is synced to disk. Raises OSError, and SettingError for an invalid key.
    """
    import pyrage

    keys = [_recipient(key) for key in recipients]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        target = Target(file)
        with _first_error_of(target):
            pyrage.encrypt_io(source, target, keys)
        file.flush()
        os.fsync(file.fileno())
    return target.described


@contextmanager
def _first_error_of(target: Target) -> Iterator[None]:
    try:
        yield
    finally:
        if target.error:
            raise target.error


def encrypt_bytes(data: bytes, path: Path, recipients: Sequence[str]) -> File:
    """Create a file with the data, encrypted for the public keys."""
    return encrypt(BytesIO(data), path, recipients)


@dataclass(frozen=True)
class Key:
    """The private keys of a file, of which one must open a backup."""

    file: Path
    identities: tuple[Any, ...]

    @classmethod
    def read(cls, file: Path) -> "Key":
        """Raises SettingError if the file has no private key that can be used."""
        from pyrage import IdentityError, x25519

        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(file, "cannot be read") from error
        if text.startswith(_PASSPHRASE):
            raise _unusable(file, "is encrypted with a passphrase")
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if not keys or not all(key.upper().startswith(PRIVATE_KEY) for key in keys):
            raise _unusable(file, "contains something else than private keys of age")
        try:
            return cls(file, tuple(x25519.Identity.from_str(key) for key in keys))
        except IdentityError:
            raise _unusable(file, "contains an invalid private key") from None

    def decrypt(self, path: Path, target: IO[bytes]) -> None:
        """Write the contents of an encrypted file to the target.

        Raises WrongKey, DamagedBackup, and the error of the target.
        """
        import pyrage

        written = Target(target)
        with path.open("rb") as file, _first_error_of(written):
            try:
                pyrage.decrypt_io(file, written, self.identities)
            except pyrage.DecryptError:
                raise WrongKey(path.parent.name, self.file) from None
            except OSError as error:
                raise DamagedBackup(path.parent, path.name, str(error)) from None

    def decrypted(self, path: Path) -> bytes:
        """The contents of a small encrypted file. Raises WrongKey."""
        target = BytesIO()
        self.decrypt(path, target)
        return target.getvalue()


def _recipient(key: str) -> Any:
    from pyrage import RecipientError, x25519

    try:
        return x25519.Recipient.from_str(key)
    except RecipientError:
        raise not_a_public_key(key) from None


def _unusable(file: Path, problem: str) -> SettingError:
    return SettingError(
        "BACKUP_AGE_IDENTITY_FILE",
        f"{file} {problem}",
        "Name a file that this account may read, with lines that begin with AGE-SECRET-KEY-1.",
    )

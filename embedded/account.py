"""The account that a server runs under: the user's own, or `nobody` if started by root."""

import os
import pwd
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from common.errors import ServerError


@dataclass(frozen=True)
class Account:
    """The owner of a server's files, and the prefix of its commands."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @classmethod
    def for_folders(cls, folders: Iterable[Path]) -> "Account":
        """The account for a server whose programs and data are in these folders.

        PostgreSQL refuses to run as root. If `nobody` may not enter a folder, such as one below
        /root, the server gets a capability to pass it, and no folder's mode is changed.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        nobody = pwd.getpwnam("nobody")
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise ServerError(
                "setpriv",
                "not found, but needed to start the embedded servers as root",
                "Install util-linux, or run as an ordinary user.",
            )
        prefix = [setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"]
        prefix += ["--clear-groups", "--no-new-privs"]
        if not all(_is_open_to_others(folder) for folder in folders):
            prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            # without this bit access(2) ignores the capability, and MariaDB, which looks for Aria's
            # log with it, would create a new log at every start
            prefix += ["--securebits=+no_setuid_fixup"]
        return cls(nobody.pw_uid, nobody.pw_gid, tuple(prefix))

    def own(self, path: Path) -> None:
        """Make the account the owner of a new file or folder."""
        os.chown(path, self.uid, self.gid)


def _is_open_to_others(folder: Path) -> bool:
    resolved = folder.resolve()
    return all(path.stat().st_mode & 0o001 for path in (resolved, *resolved.parents))

"""The state of a home: ports and passwords, in one file that only its owner may read."""

import json
import os
import secrets
import string
from pathlib import Path
from threading import Lock

from common.errors import ServerError
from common.roles import ROLES

ACCOUNTS = ("root", "application", "tidemark_reader", "tidemark")
CLICKHOUSE = "clickhouse"
"""The account of the embedded ClickHouse, which has a password once that was started."""
FILE = "servers.json"


class State:
    """The ports and passwords of a home; a port is written to disk before a server uses it."""

    def __init__(self, path: Path, ports: dict[str, int], passwords: dict[str, str]) -> None:
        self._path = path
        self._ports = ports
        self._passwords = passwords
        self._lock = Lock()

    def password(self, account: str) -> str:
        """The password of one of ACCOUNTS, or of another account that has one."""
        return self._passwords[account]

    def has_password(self, account: str) -> bool:
        """Whether the account has a password, which those of ACCOUNTS have from the first."""
        return account in self._passwords

    @property
    def roles(self) -> list[str]:
        """The roles that have an account; on servers of earlier versions, none has."""
        return [role for role in ROLES if role in self._passwords]

    def set_password(self, account: str, password: str) -> None:
        """Set the password, and write it to disk."""
        with self._lock:
            self._passwords[account] = password
            self._write()

    def without_passwords(self, text: str) -> str:
        """The text with *** for each password in it."""
        for password in self._passwords.values():
            text = text.replace(password, "***")
        return text

    def port(self, server: str, default: int) -> int:
        """The port that the server last had."""
        return self._ports.get(server, default)

    def set_port(self, server: str, port: int) -> None:
        """Set the port, and write it to disk."""
        with self._lock:
            if self._ports.get(server) == port:
                return
            self._ports[server] = port
            self._write()

    def _write(self) -> None:
        aside = self._path.with_name(f"{FILE}.new")
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"ports": self._ports, "passwords": self._passwords}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)


def read_state(home: Path) -> State | None:
    """The state of a home; None if there is none yet. Raises ServerError if it is not ours."""
    path = home / FILE
    try:
        owner = path.stat().st_uid
        if owner != os.geteuid():
            raise ServerError(
                f"embedded servers in {home}",
                f"they belong to the user with id {owner}",
                "Run as that user, or use a checkout of your own.",
            )
        facts = json.loads(path.read_text(encoding="utf-8"))
        passwords = facts["passwords"]
        known = [*ACCOUNTS, *(name for name in (*ROLES, CLICKHOUSE) if name in passwords)]
        return State(path, facts["ports"], {name: passwords[name] for name in known})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(
            str(path),
            f"cannot be read ({type(error).__name__}: {error})",
            f"Restore it, or remove {home} and all data of its servers with it.",
        ) from error


def make_state(home: Path) -> State:
    """The state of a new home, with random passwords."""
    accounts = (*ACCOUNTS, *ROLES)
    state = State(home / FILE, {}, {account: random_password() for account in accounts})
    state._write()
    return state


def random_password() -> str:
    """24 letters and digits, which need no quoting in a shell, a URL or SQL."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))

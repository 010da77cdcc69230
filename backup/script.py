"""Runs scripts of pg_dump and pg_restore in a transaction that is already open."""

import re
from typing import IO, cast

from psycopg2.extensions import cursor as Cursor

from common.errors import TidemarkError

_READ_SIZE = 1 << 20
_END_OF_DATA = b"\\.\n"

# for psql only: between these two lines it accepts no meta-commands
_RESTRICT = re.compile(rb"^\\(?:un)?restrict \w{63}\n", re.MULTILINE)

# ours are set already, and servers before 17 do not know the second
_TIMEOUTS = re.compile(rb"^SET (?:lock|transaction)_timeout = 0;\n", re.MULTILINE)
_END_OF_HEADER = b"\n-- Name: "

_DEFAULTS = re.compile(
    rb'^ALTER DEFAULT PRIVILEGES FOR ROLE ("(?:[^"]|"")+"|\w+) IN SCHEMA', re.MULTILINE
)


class CopyData:
    """The lines of a script up to the end of its COPY data, as a file to read."""

    def __init__(self, script: IO[bytes]) -> None:
        self._script = script
        self._ended = False

    def read(self, size: int = _READ_SIZE) -> bytes:
        """Whole lines of about `size` bytes; empty at the end."""
        lines: list[bytes] = []
        length = 0
        while not self._ended and length < size:
            line = self._script.readline()
            if not line:
                raise TidemarkError(
                    "pg_restore",
                    "ended within the data of a table; nothing was changed",
                    "Check the system's log (memory, disk), then run the restore again.",
                )
            if line == _END_OF_DATA:
                self._ended = True
            else:
                lines.append(line)
                length += len(line)
        return b"".join(lines)


def run_statements(cursor: Cursor, script: bytes) -> None:
    """Run a script without data."""
    header, name, rest = _RESTRICT.sub(b"", script).partition(_END_OF_HEADER)
    # with a statement of our own, since comments alone are not a query
    cursor.execute(b"set check_function_bodies = off;\n" + _TIMEOUTS.sub(b"", header) + name + rest)


def with_own_defaults(cursor: Cursor, script: bytes) -> bytes:
    """The script, with default privileges of roles that the account does not have given to it.

    They are for objects that their creator creates, which is the account from now on.
    """
    cursor.execute("select quote_ident(rolname) from pg_roles where pg_has_role(oid, 'usage')")
    ours = {role for (role,) in cursor.fetchall()}

    def of_the_account(match: re.Match[bytes]) -> bytes:
        is_ours = match[1].decode() in ours
        return match[0] if is_ours else b"ALTER DEFAULT PRIVILEGES IN SCHEMA"

    return _DEFAULTS.sub(of_the_account, script)


def run_data(cursor: Cursor, script: IO[bytes]) -> None:
    """Run a script of COPY statements and their data, while it is being read."""
    pending = b""
    for line in script:
        pending += line
        if line.endswith(b" FROM stdin;\n"):
            before, _, copy = pending.partition(b"\nCOPY ")
            run_statements(cursor, before)
            cursor.copy_expert(b"COPY " + copy, cast(IO[bytes], CopyData(script)), size=_READ_SIZE)
            pending = b""
    run_statements(cursor, pending)

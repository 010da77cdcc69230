"""Runs scripts of pg_dump and pg_restore in a transaction that is already open."""

import re
from collections.abc import Callable, Iterator
from typing import IO, cast

from psycopg2.extensions import cursor as Cursor

from common.errors import TidemarkError
from common.quoting import quoted

_READ_SIZE = 1 << 20
_COPY = b"COPY "
_END_OF_COPY = b" FROM stdin;\n"
_NAME = re.compile(rb'"(?:[^"]|"")+"|\w+')
_END_OF_DATA = b"\n\\.\n"

# for psql only: between these two lines it accepts no meta-commands
_RESTRICT = re.compile(rb"^\\(?:un)?restrict \w{63}\n", re.MULTILINE)

# ours are set already, and servers before 17 do not know the second
_TIMEOUTS = re.compile(rb"^SET (?:lock|transaction)_timeout = 0;\n", re.MULTILINE)
_END_OF_HEADER = b"\n-- Name: "

_DEFAULTS = re.compile(
    rb'^ALTER DEFAULT PRIVILEGES FOR ROLE ("(?:[^"]|"")+"|\w+) IN SCHEMA', re.MULTILINE
)


def ended(where: str) -> TidemarkError:
    """The error of a script that is not complete."""
    return TidemarkError(
        "pg_restore",
        f"ended {where}; nothing was changed",
        "Check the system's log (memory, disk), then run the restore again.",
    )


class Script:
    """A script of pg_restore, as lines of statements and the data of COPY, read in large parts."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._held = b""
        self._at = 0

    def line(self) -> bytes:
        """The next line; empty at the end."""
        while (end := self._held.find(b"\n", self._at)) < 0 and self._read_more():
            pass
        start, self._at = self._at, end + 1 if end >= 0 else len(self._held)
        return self._held[start : self._at]

    def data(self) -> Iterator[bytes]:
        """The data of a COPY, in parts, up to the line that ends it, which is read too."""
        # the line may be the first one
        self._held, self._at = b"\n" + self._held[self._at :], 1
        while (end := self._held.find(_END_OF_DATA, self._at - 1)) < 0:
            # a line that is cut may be the last one
            whole = max(self._at, len(self._held) - len(_END_OF_DATA))
            part, self._at = self._held[self._at : whole], whole
            if part:
                yield part
            if not self._read_more():
                raise ended("within the data of a table")
        part, self._at = self._held[self._at : end + 1], end + len(_END_OF_DATA)
        if part:
            yield part

    def _read_more(self) -> bool:
        more = self._source.read(_READ_SIZE)
        # what was used is given up, but for the end of the line before
        kept = max(self._at - 1, 0)
        self._held, self._at = self._held[kept:] + more, self._at - kept
        return bool(more)


class CopyData:
    """The data of a COPY, as a file from which the driver reads."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def read(self, size: int = _READ_SIZE) -> bytes:
        """Some of it, whatever the size; empty at the end."""
        return next(self._parts, b"")


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


def run_data(
    cursor: Cursor, source: IO[bytes], schema_now: Callable[[str], str] = lambda schema: schema
) -> None:
    """Run a script of COPY statements and their data, while it is being read.

    `schema_now` gives the schema in which the tables of a schema are now. They must be empty.
    """
    script = Script(source)
    pending = b""
    while line := script.line():
        if not line.startswith(_COPY):
            pending += line
            continue
        # a name may contain the end of the statement, but is in quotes then
        while not (line.endswith(_END_OF_COPY) and line.count(b'"') % 2 == 0):
            if not (more := script.line()):
                raise ended("within a statement")
            line += more
        run_statements(cursor, pending)
        pending = b""
        copy = line.removeprefix(_COPY).removesuffix(_END_OF_COPY)
        _copy(cursor, copy, script, schema_now)
    run_statements(cursor, pending)


def _copy(cursor: Cursor, copy: bytes, script: Script, schema_now: Callable[[str], str]) -> None:
    """Run a COPY. The rows are frozen, since nobody has seen the table without them."""
    schema, _, rest = copy.partition(b".")
    found = _NAME.match(rest)
    if found is None:
        raise TidemarkError(
            "pg_restore",
            f"copies into {copy.decode(errors='replace')}, which is no name; nothing was changed",
            "Restore it with the version of the PostgreSQL programs that made it.",
        )
    relation = b".".join([quoted(schema_now(schema.decode())).encode(), found[0]])
    # rows can be frozen only in a table that this transaction has created or truncated
    cursor.execute(b"truncate only " + relation)
    columns = rest[found.end() :]
    statement = b"copy " + relation + columns + b" from stdin with (freeze)"
    data = cast(IO[bytes], CopyData(script.data()))
    cursor.copy_expert(statement, data, size=_READ_SIZE)

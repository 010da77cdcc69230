"""The settings on which a session on the source relies: set after connecting, and read back.

The server's defaults, an `init_connect` and a proxy may set other values. None of them may change
what our statements return, cut off a result, or end a statement.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.constants import ER

from common.errors import ServerError

STATEMENT_SECONDS = 2
"""The longest that one of our statements may run at the source."""
LOCK_WAIT_SECONDS = 5
"""How long to wait for another session's ALTER before the table is left to the next run."""
SLOW_NETWORK_SECONDS = 60
UNLIMITED = 2**64 - 1

Fetch = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Setting:
    """A session variable, with its name on each kind of server, and its value."""

    names: tuple[str, ...]
    value: int | str

    @property
    def literal(self) -> str:
        is_quoted = isinstance(self.value, str) and self.value != "DEFAULT"
        return f"'{self.value}'" if is_quoted else str(self.value)

    def is_kept(self, found: Any) -> bool:
        """True if the server returns the value that was set."""
        if isinstance(self.value, str):
            return str(found) == self.value
        # SHOW VARIABLES writes a 1 as ON
        return Decimal({"ON": "1", "OFF": "0"}.get(str(found), str(found))) == self.value


SETTINGS = (
    # the text of a value, and the meaning of a statement
    Setting(("sql_mode",), ""),
    Setting(("old_mode",), ""),
    Setting(("time_zone",), "+00:00"),
    Setting(("sql_auto_is_null",), 0),
    Setting(("max_sort_length",), 8192),
    # all rows, as they are now
    Setting(("sql_select_limit",), UNLIMITED),
    Setting(("max_join_size",), UNLIMITED),
    Setting(("sql_big_selects",), 1),
    Setting(("query_cache_type",), "OFF"),
    Setting(("use_secondary_engine",), "OFF"),
    Setting(("system_versioning_asof",), "DEFAULT"),
    # what the catalog says
    Setting(("information_schema_stats_expiry",), 0),
    Setting(("show_gipk_in_create_table_and_information_schema",), 1),
    # transactions
    Setting(("autocommit",), 1),
    Setting(("completion_type",), "NO_CHAIN"),
    Setting(("transaction_isolation", "tx_isolation"), "REPEATABLE-READ"),
    Setting(("transaction_read_only", "tx_read_only"), 1),
    # limits that would end a statement or the connection, and our own
    Setting(("max_execution_time",), STATEMENT_SECONDS * 1000),
    Setting(("max_statement_time",), STATEMENT_SECONDS),
    Setting(("lock_wait_timeout",), LOCK_WAIT_SECONDS),
    Setting(("innodb_lock_wait_timeout",), 1),
    # the session waits while what was read is landed and applied
    Setting(("wait_timeout",), 28800),
    Setting(("idle_transaction_timeout",), 0),
    Setting(("idle_readonly_transaction_timeout",), 0),
    Setting(("net_read_timeout",), SLOW_NETWORK_SECONDS),
    Setting(("net_write_timeout",), SLOW_NETWORK_SECONDS),
    Setting(("max_session_mem_used",), 2**63 - 1),
    # no warnings that are not about a value: a digest with a warning is not used
    Setting(("range_optimizer_max_mem_size",), 0),
    Setting(("note_verbosity",), "basic"),
)
"""If a setting has two names, the first that the server knows is set."""

FIRST = ("sql_mode", "sql_select_limit", "max_join_size", "sql_big_selects")
"""Settings that every server knows, and that the query for the other settings needs."""

STATEMENT_LIMITS = {"max_execution_time", "max_statement_time"}
"""The names of MySQL and MariaDB; a server has one of them, or is too old for either."""

CHARACTER_SETS = (
    Setting(("character_set_client",), "utf8mb4"),
    Setting(("character_set_connection",), "utf8mb4"),
    Setting(("character_set_results",), "utf8mb4"),
    Setting(("collation_connection",), "utf8mb4_bin"),
)
"""The variables that SET NAMES sets."""


def set_up(fetch: Fetch, server: str, packet_bytes: int) -> frozenset[str]:
    """Set up a new session; returns the names of the settings.

    Raises ServerError with the name of a setting that the server does not accept.
    """
    fetch("set names utf8mb4 collate utf8mb4_bin")
    _limit_statements(fetch)
    first = _named(FIRST)
    _set(fetch, server, first)
    _check(fetch, server, first)
    names = ", ".join(f"'{name}'" for setting in SETTINGS for name in setting.names)
    found: dict[str, Any] = dict(fetch(f"show session variables where variable_name in ({names})"))
    wanted = _named(found)
    # GROUP_CONCAT() returns at most one packet
    wanted["group_concat_max_len"] = Setting(("group_concat_max_len",), packet_bytes)
    _set(
        fetch,
        server,
        {
            name: setting
            for name, setting in wanted.items()
            if name not in found or not setting.is_kept(found[name])
        },
    )
    _check(fetch, server, wanted)
    return frozenset(wanted)


def _limit_statements(fetch: Fetch) -> None:
    """Set our limit first, since the server's may be too short for what follows."""
    for setting in SETTINGS:
        (name, *_) = setting.names
        if name in STATEMENT_LIMITS:
            try:
                fetch(f"set session {name} = {setting.literal}")
            except pymysql.err.MySQLError as error:
                if not error.args or error.args[0] != ER.UNKNOWN_SYSTEM_VARIABLE:
                    raise


def _named(known: Collection[str]) -> dict[str, Setting]:
    """The settings that a server has, each under the first of its names that it knows."""
    named = {}
    for setting in SETTINGS:
        name = next((name for name in setting.names if name in known), None)
        if name:
            named[name] = setting
    return named


def _set(fetch: Fetch, server: str, wanted: dict[str, Setting]) -> None:
    assignments = [f"session {name} = {setting.literal}" for name, setting in wanted.items()]
    try:
        fetch(f"set {', '.join(assignments)}")
    except pymysql.err.MySQLError as error:
        if not _is_said_by_server(error):
            raise
        # one of them was refused, but the server does not say which
        for (name, setting), assignment in zip(wanted.items(), assignments, strict=True):
            _set_one(fetch, server, name, setting, assignment)


def _set_one(fetch: Fetch, server: str, name: str, setting: Setting, assignment: str) -> None:
    try:
        fetch(f"set {assignment}")
    except pymysql.err.MySQLError as error:
        if not _is_said_by_server(error):
            raise
        raise ServerError(
            f"operational {server}",
            f'{name} cannot be set to "{setting.value}" ({error.args[-1]})',
            "Allow the account to set it for its own sessions, or set it for all.",
        ) from None


def _check(fetch: Fetch, server: str, wanted: dict[str, Setting]) -> None:
    expected = {**wanted, **{setting.names[0]: setting for setting in CHARACTER_SETS}}
    (found,) = fetch(f"select {', '.join(f'@@session.{name}' for name in expected)}")
    for (name, setting), value in zip(expected.items(), found, strict=True):
        if not setting.is_kept(value):
            raise ServerError(
                f"operational {server}",
                f'{name} is "{value}" after it was set to "{setting.value}"',
                "Connect to the server directly; a proxy must pass on the settings of a session.",
            )


def _is_said_by_server(error: pymysql.err.MySQLError) -> bool:
    """False for an error of the driver, such as a lost connection."""
    number = error.args[0] if error.args else 0
    return isinstance(number, int) and number >= 1000 and not 2000 <= number < 3000

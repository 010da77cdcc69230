"""Errors of publishing."""

import re

import psycopg2

from common.errors import ExitCode, ServerError, SettingError, TableError, TidemarkError
from warehouse.failures import as_server_error

CODE = re.compile(r"Code: (\d+)\.")
NAME_OF_CODE = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*(?:\(version [^)]*\))?\s*$")
WRONG_ACCOUNT = {192, 193, 194, 516}
NO_PRIVILEGE = {164, 291, 497}
NO_CLUSTER = {170, 139}
NO_SPACE = {243}
NO_MEMORY = {241}
NO_COLUMN_NAME = {44}
OTHER_COLUMNS = {16, 47, 122}


class ClickHouseError(TidemarkError):
    """ClickHouse refused a statement. Its text may have values, and is not shown."""

    def __init__(self, server: str, text: str) -> None:
        found, name = CODE.search(text), NAME_OF_CODE.search(text)
        self.code = int(found[1]) if found else 0
        self.name = name[1] if name else "an error"
        super().__init__(server, f"refused: {self.name}, code {self.code}", _hint(self.code))


def _hint(code: int) -> str:
    if code in WRONG_ACCOUNT:
        return "Correct CLICKHOUSE_USER and CLICKHOUSE_PASSWORD."
    if code in NO_PRIVILEGE:
        return "Grant the account what docs/publishing.md lists."
    if code in NO_CLUSTER:
        return "Correct CLICKHOUSE_CLUSTER; `select cluster from system.clusters` lists them."
    if code in NO_SPACE:
        return "Free disk space there; the next publish sends what is missing."
    if code in NO_MEMORY:
        return "Give the server more memory, or raise its max_memory_usage for this account."
    if code in NO_COLUMN_NAME:
        return "ClickHouse keeps the name of a column for itself: publish a view that renames it."
    if code in OTHER_COLUMNS:
        return (
            "Somebody has altered the table there: drop the one whose name begins with _ and with"
            " that of the published table. The next publish loads it anew."
        )
    return "The server's log has the statement and the whole message."


class ClickHouseNotReached(ServerError):
    """ClickHouse cannot be reached, or has closed the connection."""


class NotClickHouse(ClickHouseNotReached):
    """What answers is no ClickHouse, or a proxy that cannot reach it."""

    def __init__(self, server: str, status: int) -> None:
        super().__init__(
            server,
            f"answers with the HTTP status {status}, but not as ClickHouse does",
            "Set CLICKHOUSE_HOST and CLICKHOUSE_PORT to its HTTP interface, by default the port"
            " 8123, or 8443 with TLS. If a proxy is before it, look into its log.",
        )


class ValueRefused(TableError):
    """A value of a column does not fit the type that the column is published with."""

    def __init__(self, table: str, column: str, kind: str) -> None:
        super().__init__(
            table,
            f'the column "{column}" has a value that {kind} cannot hold; nothing was published',
            f"Declare `types: {{{column}: String}}` in its `publish`, which publishes the text.",
        )


class TypeRefused(TableError):
    """A column has a type without a rule, or that needs a decision."""

    exit_code = ExitCode.USAGE


class WrongPublication(SettingError):
    """A declaration of what is published is wrong."""


class PublicationDiffers(TableError):
    """What ClickHouse has differs from the warehouse, even after it was repaired, if it was."""

    def __init__(self, table: str, partitions: list[str], was_repaired: bool) -> None:
        more = ", …" if len(partitions) > 5 else ""
        hint = "Repair it with `python run.py publish --compare`, which replaces these partitions."
        if was_repaired:
            hint = "Somebody else writes to the published tables: let only this account do it."
        super().__init__(
            table,
            f"differs from ClickHouse in the partitions {', '.join(partitions[:5])}{more}",
            hint,
        )


class NotBuilt(TableError):
    """The warehouse does not have the table yet."""

    def __init__(self, table: str) -> None:
        super().__init__(table, "is not in the warehouse", "Build it first: python run.py.")


class NotRead(TableError):
    """PostgreSQL refused a statement of the table's publishing."""

    def __init__(self, table: str, error: psycopg2.Error) -> None:
        told = as_server_error(error)
        super().__init__(table, f"PostgreSQL refused to read it: {told.problem}", told.hint)


class NameTaken(TableError):
    """ClickHouse has a table of somebody else where the view of a published one belongs."""

    def __init__(self, table: str, database: str) -> None:
        super().__init__(
            table,
            f"the database {database} has a table of this name, which was not published",
            "Rename that table, or set CLICKHOUSE_DATABASE to a database for published tables.",
        )


class NotErased(TableError):
    """ClickHouse still has rows of the person."""

    def __init__(self, table: str, rows: int) -> None:
        super().__init__(
            table,
            f"ClickHouse still has {rows} rows of the person",
            "Give the command again; if it stays so, look into system.mutations there.",
        )

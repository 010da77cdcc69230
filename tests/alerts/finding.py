"""What is found in control tables that a test wrote, and rows of them."""

from psycopg2.extensions import connection as Connection

from alerts.findings import Finding, Scope
from alerts.rules import find
from alerts.settings import AlertSettings
from tests.alerts.conftest import NODES, TABLES
from tests.support.servers import Query

NEVER = AlertSettings(no_run=None, no_backup=None)


def found(connection: Connection, settings: AlertSettings = NEVER) -> list[Finding]:
    with connection.cursor() as cursor:
        return find(cursor, Scope(TABLES, NODES), settings)


def told(connection: Connection) -> list[tuple[str, str]]:
    return [finding.key for finding in found(connection)]


def compared(
    query: Query, run: str, table: str, is_equal: bool, rows: int = 7, oldest: str = "null"
) -> None:
    """A comparison of so many of 7 rows, of which the oldest one that counts was at `oldest`."""
    query(
        "insert into dwh.mirror_verification (run_id, table_name, source_rows, compared_rows,"
        " is_equal, checked_from, checked_to, oldest_compared_at, method) values (%s, %s, 7, %s,"
        f" %s, clock_timestamp(), clock_timestamp(), {oldest}, 'every row')",
        (run, table, rows, is_equal),
    )


def reached(query: Query, table: str, hours: int = 0) -> None:
    """`dwh` had everything of the table so many hours ago."""
    query("delete from dwh.high_water_mark where table_name = %s", (table,))
    query(
        "insert into dwh.high_water_mark (table_name, read_at, updated_at, run_id)"
        f" select %s, at, at, 'r' from (select now() - interval '{hours} h' as at) as times",
        (table,),
    )


def aged(query: Query, hours: int, which: str = "") -> None:
    """Let everything in the run log, and the first migration, be of so many hours ago."""
    query(f"update dwh.run_log set finished_at = now() - interval '{hours} h' {which}")
    query(f"update mrr_state.applied_step set applied_at = now() - interval '{hours} h'")

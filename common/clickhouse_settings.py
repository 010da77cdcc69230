"""The settings of ClickHouse, to which chosen tables are published, as far as others use them."""

from collections.abc import Mapping

from common.numbers import read_number

KEEP_DAYS = 7
KEEP_DAYS_RANGE = range(1, 31)
"""The log of changes keeps none for longer than 30 days (`warehouse/positions.py`)."""

SETTINGS = {
    "CLICKHOUSE_HOST": "host of the ClickHouse to publish to; default: the embedded one, which"
    " `make olap` installs",
    "CLICKHOUSE_PORT": "the port of its HTTP interface; default 8123, and 8443 by TLS",
    "CLICKHOUSE_USER": "an account on that server that may create tables in the database",
    "CLICKHOUSE_PASSWORD": "its password (or CLICKHOUSE_PASSWORD_FILE: a file that contains it)",
    "CLICKHOUSE_DATABASE": "the database, which is created; default tidemark",
    "CLICKHOUSE_TLS": "the TLS of connections to it, as OPERATIONAL_TLS",
    "CLICKHOUSE_TLS_CA": "as OPERATIONAL_TLS_CA",
    "CLICKHOUSE_CLUSTER": "a cluster of that server, on all of whose nodes the tables are made"
    " (experimental); default: none",
    "PUBLISH": "on: a run publishes as its last step; off: only `publish` does; default: on if"
    " CLICKHOUSE_HOST is set",
    "PUBLISH_KEEP_DAYS": "for how many days changes are kept for a table that is not published or"
    f" exported meanwhile; default {KEEP_DAYS}",
}


def read_keep_days(values: Mapping[str, str]) -> int:
    """PUBLISH_KEEP_DAYS. Raises SettingError."""
    days = "a number of days"
    return read_number(values, "PUBLISH_KEEP_DAYS", KEEP_DAYS, KEEP_DAYS_RANGE, days)

"""The events that the e-wallet would write of its transactions, as the lines of a file."""

import json
from pathlib import Path
from typing import Any

import pymysql

from operational.workload import Written

ROW = (
    "select transaction_id, user_id, merchant_id, cast(amount as char), status,"
    " date_format(transaction_time, '%%Y-%%m-%%dT%%H:%%i:%%sZ'),"
    " date_format(updated_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')"
    " from transactions where transaction_id = %s"
)
COLUMNS = (
    *("transaction_id", "user_id", "merchant_id", "amount", "status", "transaction_time"),
    "updated_at",
)
NOW = "select date_format(current_timestamp(6), '%Y-%m-%dT%H:%i:%s.%fZ')"


class EventFile:
    """A file to which the events of transactions are appended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    def note(self, cursor: pymysql.cursors.Cursor, written: Written) -> None:
        """Note the event of a row that was just written; nothing if it is no transaction."""
        if written.transaction is None:
            return
        row: dict[str, Any] = {"transaction_id": written.transaction}
        if written.kind != "delete":
            cursor.execute(ROW, (written.transaction,))
            row = dict(zip(COLUMNS, cursor.fetchone() or (), strict=True))
        version = row.get("updated_at")
        # a late row has an old stamp, and is a new version all the same
        if written.late or version is None:
            cursor.execute(NOW)
            (version,) = cursor.fetchone() or ()
        event = {"operation": written.kind, "version": version, "row": row}
        self._lines.append(json.dumps(event) + "\n")

    def append(self) -> None:
        """Append what was noted since the last time; to be called after the commit."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(self._lines)
        self._lines.clear()

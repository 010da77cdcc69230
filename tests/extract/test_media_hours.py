"""Three hours in the life of a table of media files, replayed from `cases/media`.

The file gives the whole table at each hour. Against hour 2, hour 3 has a row that arrives with the
stamp of a known one, a row changed under its old stamp, and a row less.
"""

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

HOURS = Path(__file__).parents[1] / "cases" / "media" / "three_hours.csv"
Query = Callable[..., list[tuple]]
Row = tuple[int, str, str, int, datetime]


def table_at_each_hour() -> dict[int, list[Row]]:
    """The rows of the table at each hour, by key."""
    hours: dict[int, list[Row]] = {}
    with HOURS.open(newline="") as file:
        for line in csv.DictReader(file):
            row = (int(line["id"]), line["s3_path"], line["format"], int(line["type"]))
            stamp = datetime.fromisoformat(line["updated_at"])
            hours.setdefault(int(line["hour"]), []).append((*row, stamp))
    return hours


def bring_to(operational: OperationalDatabase, before: list[Row], rows: list[Row]) -> None:
    """Insert, update and delete what makes the table hold these rows."""
    known = {row[0]: row for row in before}
    for row in rows:
        if row[0] not in known:
            operational.execute("insert into media values (%s, %s, %s, %s, %s)", row)
        elif row != known[row[0]]:
            operational.execute(
                "update media set s3_path = %s, format = %s, type = %s, updated_at = %s"
                " where id = %s",
                (*row[1:], row[0]),
            )
    for gone in known.keys() - {row[0] for row in rows}:
        operational.execute("delete from media where id = %s", (gone,))


def set_clock_of_last_read(query: Query, hour: int) -> None:
    """As if the last run had read at the end of that hour."""
    query("update dwh.high_water_mark set read_at = %s", (f"2021-01-01 {hour:02}:00:00+00",))


@pytest.mark.parametrize("cursor", ["updated_at", None], ids=["with its stamp", "without a cursor"])
def test_mirror_holds_exactly_the_rows_of_each_hour(
    operational: OperationalDatabase, mirror: Mirror, query: Query, cursor: str | None
) -> None:
    operational.execute(
        "create table media (id bigint primary key, s3_path varchar(255), format varchar(10),"
        " type tinyint, updated_at datetime)"
    )
    before: list[Row] = []
    applied, late = [], []
    for hour, rows in table_at_each_hour().items():
        bring_to(operational, before, rows)
        outcome = mirror.extract_one(mirror.table("media", cursor=cursor))
        set_clock_of_last_read(query, hour)
        assert query("select * from mrr.media order by id") == rows
        done = outcome.applied
        applied.append((done.inserted, done.updated, done.deleted))
        late.append(outcome.verification.late_rows)
        before = rows
    assert applied == [(3, 0, 0), (2, 1, 0), (1, 2, 1)]
    # hour 3: the row on the stamp of another, and the one changed without a new stamp
    assert late == [0, 0, 2 if cursor else 0]

"""Three hours in the life of a table of media files, as the extractor reads them."""

from collections.abc import Callable

import pytest

from operational.media.hours import MediaFile, rows_at_each_hour, write_hour
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]


def set_clock_of_last_read(query: Query, hour: int) -> None:
    """As if the last run had read at the end of that hour."""
    query("update dwh.high_water_mark set read_at = %s", (f"2021-01-01 {hour:02}:00:00+00",))


@pytest.mark.parametrize("stamp", ["updated_at", None], ids=["with its stamp", "without a cursor"])
def test_mirror_holds_exactly_the_rows_of_each_hour(
    operational: OperationalDatabase, mirror: Mirror, query: Query, stamp: str | None
) -> None:
    operational.execute(
        "create table media (id bigint primary key, s3_path varchar(255), format varchar(10),"
        " type tinyint, updated_at datetime)"
    )
    before: list[MediaFile] = []
    applied, late = [], []
    for hour, rows in rows_at_each_hour().items():
        with operational.connection.cursor() as cursor:
            write_hour(cursor, before, rows, "media")
        operational.connection.commit()
        outcome = mirror.extract_one(mirror.table("media", cursor=stamp))
        set_clock_of_last_read(query, hour)
        assert query("select * from mrr.media order by id") == rows
        done = outcome.applied
        applied.append((done.inserted, done.updated, done.deleted))
        late.append(outcome.verification.late_rows)
        before = rows
    assert applied == [(3, 0, 0), (2, 1, 0), (1, 2, 1)]
    # hour 3: the row on the stamp of another, and the one changed without a new stamp
    assert late == [0, 0, 2 if stamp else 0]

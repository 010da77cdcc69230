"""A table that is loaded in bulk, range by range."""

import pytest

from extract.mysql.reader import Reader
from tests.support.bulk import PER_RANGE, ROWS
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase


@pytest.fixture
def bulky(mirror: Mirror) -> None:
    """Every table is read in bulk, and a hundred rows land at a time."""
    mirror.limit(bulk_rows=1, checkpoint_bytes=1, rows_per_value=PER_RANGE)


@pytest.fixture
def large(operational: OperationalDatabase, mirror: Mirror, bulky: None) -> Mirror:
    """A thousand rows, of which nothing is mirrored yet."""
    operational.execute(
        "create table items (id int primary key, c2 varchar(40), c1 int, day date,"
        " updated_at timestamp(6) null, key (updated_at))"
    )
    operational.execute(
        "insert into items select seq, concat('item ', seq), -seq, '2024-02-29', '2020-01-01'"
        f" from seq_1_to_{ROWS}"
    )
    operational.execute("analyze table items")
    return mirror


@pytest.fixture
def ranges_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The conditions of the ranges that are read, as they come."""
    conditions: list[str] = []
    joined = Reader._joined

    def noted(self: Reader, fields: list, where: str, *known: object) -> object:
        conditions.append(where)
        return joined(self, fields, where, *known)

    monkeypatch.setattr(Reader, "_joined", noted)
    return conditions

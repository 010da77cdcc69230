"""Schedules of the source's changes against an extract: what acts, when, and what must hold after.

A schedule acts at a pause point of the code, or right before or after one of its functions.
"""

from collections.abc import Callable

import pytest

from common import pause
from extract import extraction
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
Act = Callable[[], object]
OLD = "'2020-01-01'"
"""The stamp of every row, and of a change that leaves the stamp alone."""


class Schedule:
    """Acts once, at the given call of a function of the code or at one of its pause points."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._at: dict[str, Act] = {}
        self.expected: list[str] = []
        self.acted: list[str] = []
        monkeypatch.setattr(pause, "hold", self._reached)

    def at(self, point: str, act: Act) -> None:
        self.expected.append(point)
        self._at[point] = act

    def before(self, owner: object, name: str, act: Act, call: int = 1) -> None:
        self._around(owner, name, act, call, is_before=True)

    def after(self, owner: object, name: str, act: Act, call: int = 1) -> None:
        self._around(owner, name, act, call, is_before=False)

    def _around(self, owner: object, name: str, act: Act, call: int, is_before: bool) -> None:
        real, moment, calls = getattr(owner, name), f"{name} {call}", []
        self.expected.append(moment)

        def acting(*arguments: object, **options: object) -> object:
            calls.append(None)
            is_now = len(calls) == call
            if is_now and is_before:
                self._act(moment, act)
            result = real(*arguments, **options)
            if is_now and not is_before:
                self._act(moment, act)
            return result

        self._monkeypatch.setattr(owner, name, acting)

    def _reached(self, point: str) -> None:
        if point in self._at:
            self._act(point, self._at.pop(point))

    def _act(self, moment: str, act: Act) -> None:
        self.acted.append(moment)
        act()


class Items:
    """A mirrored table `items` in ranges of 100 rows, stamped long ago: 1 … `rows`."""

    def __init__(self, mirror: Mirror, operational: OperationalDatabase, query: Query) -> None:
        self.mirror = mirror
        self.query = query
        self.source = operational
        self.table = mirror.table("items")
        self.created = 0

    def create(self, rows: int, partitions: str = "") -> None:
        self.created = rows
        self.source.execute(
            "create table items (id int primary key, name varchar(40), updated_at timestamp(6)"
            f" not null default current_timestamp(6) on update current_timestamp(6)) {partitions}"
        )
        self.source.execute(
            f"insert into items select seq, concat('item ', seq), {OLD} from seq_1_to_{rows}"
        )

    def limit(self, **figures: float | str) -> None:
        """Extract by other figures from now on."""
        self.mirror.limit(**figures)

    def change(self, *statements: str) -> Act:
        """An act: the application runs these statements on `items`."""
        return lambda: [self.source.execute(statement) for statement in statements]

    def extract(self) -> extraction.TableOutcome:
        """A run that sees what happens under it, as one does that reads no snapshot."""
        return self.mirror.extract_one(self.table, snapshot_seconds=0)

    def mirrored(self) -> list[tuple]:
        return self.query("select id, name from mrr.items order by id")

    def at_source(self) -> list[tuple]:
        return self.source.execute("select id, name from items order by id")

    def check_settled(self) -> None:
        """Without a hand on it, mirror and source are equal, and nothing is left to do."""
        compare_all = "update mrr_state.key_range set compared_at = null"
        for _ in range(2):
            self.query(compare_all)
            last = self.extract()
        assert last.applied.rows == 0
        assert last.verification.is_equal
        columns = [name for (name,) in self.query(MIRRORED_COLUMNS)]
        names = ", ".join(f'"{name}"' for name in columns)
        plain = ", ".join(f"`{name}`" for name in columns)
        assert self.query(f"select {names} from mrr.items order by id") == [
            tuple(row) for row in self.source.execute(f"select {plain} from items order by id")
        ]
        self.check_log()

    def check_log(self) -> None:
        """The change log, played over the rows that were loaded, gives the keys of the mirror."""
        assert self.query(KEYS_LOGGED_OTHERWISE, (self.created,)) == []


MIRRORED_COLUMNS = (
    "select column_name from information_schema.columns where table_schema = 'mrr'"
    " and table_name = 'items' and data_type <> 'timestamp with time zone'"
)
ALL_BUT_THE_LAST_RANGE_COMPARED = """
    update mrr_state.key_range
    set compared_at = clock_timestamp() - case when up_to is null then 5 else 0 end * interval '1s'
"""
KEYS_LOGGED_OTHERWISE = """
    select coalesce(logged.id, mirror.id), logged.operation
    from (
        select distinct on (row_key) (row_key ->> 'id')::integer as id, operation
        from mrr_state.change_log
        where table_name = 'items' and row_key is not null
        order by row_key, change_id desc
    ) as logged
    full join mrr.items as mirror on logged.id = mirror.id
    where (mirror.id is null) <> coalesce(logged.operation = 'delete', false)
        or (logged.id is null and mirror.id not between 1 and %s)
"""

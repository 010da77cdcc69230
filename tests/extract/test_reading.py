"""What reads the source: the session, the catalog and the reader."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pymysql
import pytest

import embedded
from commands.endpoints import Endpoints
from common.errors import TableError
from embedded.mariadb import READER
from extract.mysql import chunker, reader
from extract.mysql.aggregates import Refused
from extract.mysql.chunker import Chunker
from extract.mysql.fields import Field
from extract.mysql.reader import Reader
from extract.mysql.source import MySQLSource
from extract.source import Chunk, Fields
from tests.sources.choice import only_mariadb
from tests.support.mirror import OLD, Mirror, Query, SetGlobal, described_as_large
from tests.support.servers import OperationalDatabase


def keys_read(chunks: Iterator[Chunk]) -> list[int]:
    """The first field of every line, where no value holds a newline; an endless read is cut."""
    keys = []
    for chunk in islice(chunks, 1000):
        lines = chunk.data.split(b"\n")
        assert len(lines) == chunk.rows
        keys += [int(line.split(b",")[0].strip(b"'")) for line in lines]
    return keys


def test_session_of_an_account_that_may_write_cannot(
    servers: embedded.Servers, operational: OperationalDatabase
) -> None:
    operational.execute("create table t (id int primary key)")
    writer = MySQLSource(servers.operational_admin)
    with pytest.raises(pymysql.err.Error) as caught:
        writer.rows(f"insert into {operational.name}.t values (1)")
    writer.close()
    assert caught.value.args[0] == 1792
    assert operational.execute("select count(*) from t") == [(0,)]


@only_mariadb
def test_server_is_known_by_its_machine_and_its_folder(session: MySQLSource, root: Query) -> None:
    """Not by its port, nor by the network card that MariaDB's own id is made of."""
    assert session.identity == root("select concat(@@hostname, ':', @@datadir)")[0][0]


def test_statement_is_not_repeated_on_another_server(
    session: MySQLSource, root: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.mysql.session.RETRY_PAUSES", (0.0, 0.0))
    root(f"kill connection {session.row('select connection_id()')[0]}")
    session.identity = "the one before a fail-over"
    with pytest.raises(pymysql.err.Error):
        session.rows("select 1")


def test_stamps_of_a_server_in_another_zone_arrive_in_utc(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
) -> None:
    set_global("time_zone", "+05:00")
    operational.execute("create table items (id int primary key, at timestamp)")
    operational.execute("insert into items values (1, '2024-01-01 12:00:00')")
    mirror.extract_one(mirror.table("items", cursor=None))
    assert query("select at from mrr.items") == [(datetime(2024, 1, 1, 12, tzinfo=UTC),)]


@pytest.mark.parametrize(
    ("zone", "stamp"),
    [
        ("-05:00", "utc_timestamp() - interval 5 hour"),
        ("-05:00", "utc_timestamp()"),
        ("+05:00", "utc_timestamp() + interval 5 hour"),
        ("+05:00", "utc_timestamp()"),
    ],
    ids=["behind, local", "behind, UTC", "ahead, local", "ahead, UTC"],
)
def test_datetime_stamp_is_in_the_window_in_local_time_and_in_utc(
    operational: OperationalDatabase,
    mirror: Mirror,
    set_global: SetGlobal,
    zone: str,
    stamp: str,
) -> None:
    set_global("time_zone", zone)
    operational.execute("create table items (id int primary key, updated_at datetime)")
    operational.execute(f"insert into items values (1, '{OLD}')")
    mirror.extract_one(mirror.table("items"))
    operational.execute(f"insert into items values (2, {stamp})")
    outcome = mirror.extract_one(mirror.table("items"))
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (1, 0)


@pytest.mark.parametrize("zones", [("+02:00", "+01:00"), ("+01:00", "+02:00")])
def test_offset_of_the_server_is_the_lesser_of_then_and_now(
    endpoints: Endpoints, set_global: SetGlobal, zones: tuple[str, str]
) -> None:
    now, then = zones
    set_global("time_zone", now)
    session = MySQLSource(endpoints.operational)
    # no zone with a summer is known to this server
    set_global("time_zone", then)
    assert session.local_offset(datetime(2024, 1, 1, tzinfo=UTC)) == 3_600
    session.close()


def test_sql_mode_of_the_server_changes_nothing(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
) -> None:
    operational.execute("create table items (k varchar(20) primary key, c char(5), n int)")
    operational.execute(r"insert into items values ('a\\', 'ab', 1), ('\'\\\'', '\\n', 2)")
    set_global("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH")
    table = mirror.table("items", key=("k",), cursor=None)
    mirror.extract_one(table)
    operational.execute("update items set n = n + 10")
    mirror.extract_one(table)
    assert query("select * from mrr.items order by n") == [("a\\", "ab", 11), ("'\\'", "\\n", 12)]


def test_text_key_of_any_characters_is_found_again(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute(
        "create table items (k varchar(20) primary key, n int, updated_at timestamp null)"
    )
    keys = ["'\\'", "a\\", "é", "漢字", "𝄞"]
    for key in keys:
        operational.execute(f"insert into items values (%s, 1, '{OLD}')", (key,))
    table = mirror.table("items", key=("k",))
    mirror.extract_one(table)
    operational.execute("update items set n = 2, updated_at = updated_at")
    assert mirror.extract_one(table).verification.repaired_rows == len(keys)
    assert query('select k from mrr.items where n = 2 order by k collate "C"') == [
        (key,) for key in keys
    ]


def test_warehouse_with_settings_of_its_own_holds_the_same(
    operational: OperationalDatabase, endpoints: Endpoints, query: Query, tmp_path: Path
) -> None:
    name = endpoints.warehouse.database
    for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "intervalstyle = iso_8601"):
        query(f"alter database {name} set {setting}")
    mirror = Mirror(endpoints, operational.name, tmp_path / "landing")
    operational.execute(
        "create table items (k time primary key, at timestamp, v int, updated_at timestamp null)"
    )
    operational.execute(
        f"insert into items values ('-01:00:00', '2024-01-01', 1, '{OLD}'),"
        f" ('30:00:00', '2024-01-02', 1, '{OLD}')"
    )
    table = mirror.table("items", key=("k",))
    assert mirror.extract_one(table).mark.high_water_mark == "2020-01-01 00:00:00+00"
    operational.execute("update items set v = 2, updated_at = updated_at")
    outcome = mirror.extract_one(table)
    assert (outcome.verification.repaired_rows, outcome.verification.is_equal) == (2, True)
    assert query("select distinct at from mrr.items where k > '0'") == [
        (datetime(2024, 1, 2, tzinfo=UTC),)
    ]
    assert query(
        "select row_key->>'k' from mrr_state.change_log where operation = 'update' order by 1"
    ) == [("-01:00:00",), ("30:00:00",)]
    mirror.connection.close()


def test_chunk_that_the_server_cut_is_read_in_smaller_ranges(
    operational: OperationalDatabase,
    mirror: Mirror,
    session: MySQLSource,
) -> None:
    mirror.limit(rows_per_value=100)
    mirror.limit(smallest_range=5)
    operational.execute("create table items (id int primary key, v varchar(60))")
    operational.execute("insert into items select seq, repeat('v', 50) from seq_1_to_250")
    session.rows("set session group_concat_max_len = 1024")
    known = described_as_large(session, mirror.table("items", cursor=None))
    assert keys_read(session.table(known, mirror.limits).read(Fields(known.columns))) == list(
        range(1, 251)
    )


def test_row_that_the_server_drops_without_a_warning_stops_the_table(
    items: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Field.line
    monkeypatch.setattr(Field, "line", lambda *arguments: f"nullif({line(*arguments)}, '2')")
    (outcome,) = items.extract(items.table("items"), full_refresh=True)
    assert "3 rows were read, 2 landed" in str(outcome.error)
    assert query("select count(*) from mrr.items") == [(3,)]


def test_ranges_of_a_composite_key_hold_each_row_once(
    operational: OperationalDatabase,
    mirror: Mirror,
    session: MySQLSource,
) -> None:
    mirror.limit(rows_per_value=7)
    operational.execute("create table items (v int, a int, b int, c int, primary key (a, b, c))")
    operational.execute(
        "insert into items select seq, seq % 3, seq % 5, seq div 4 from seq_1_to_100"
    )
    known = described_as_large(session, mirror.table("items", key=("a", "b", "c"), cursor=None))
    assert sorted(
        keys_read(session.table(known, mirror.limits).read(Fields(known.columns)))
    ) == list(range(1, 101))


SPREADS = {
    "close together": ("seq", 4),
    "every third, and negative": ("cast(seq * 3 as signed) - 2000", 4),
    "far from each other": ("seq * 1000", 22),
    "with gaps": ("seq + 10000000000 * (seq div 300)", 12),
    "sparse, then close": ("if(seq < 500, seq * 1000000, 500000000 + seq)", 14),
    "close, then sparse": ("if(seq < 500, seq, seq * 1000000)", 14),
}
"""1,000 keys, and how often 50 of them may be counted off."""


@pytest.mark.parametrize(("keys", "counted"), SPREADS.values(), ids=SPREADS)
def test_table_is_cut_by_the_numbers_of_its_key_where_they_are_spread_alike(
    operational: OperationalDatabase,
    mirror: Mirror,
    session: MySQLSource,
    monkeypatch: pytest.MonkeyPatch,
    keys: str,
    counted: int,
) -> None:
    mirror.limit(rows_per_value=50)
    boundaries = []
    boundary = Chunker._boundary
    monkeypatch.setattr(
        Chunker, "_boundary", lambda *arguments: boundaries.append(1) or boundary(*arguments)
    )
    operational.execute("create table items (id bigint primary key)")
    operational.execute(f"insert into items select {keys} from seq_1_to_1000")
    known = described_as_large(session, mirror.table("items", cursor=None))
    chunks = list(session.table(known, mirror.limits).read(Fields(known.columns[:1])))
    assert [(key,) for key in keys_read(iter(chunks))] == operational.execute(
        "select id from items order by id"
    )
    assert max(chunk.rows for chunk in chunks) <= 4 * 50
    assert len(boundaries) <= counted


def test_table_that_is_filled_when_its_greatest_key_was_asked_for_is_read_once(
    operational: OperationalDatabase,
    mirror: Mirror,
    session: MySQLSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror.limit(rows_per_value=50)
    operational.execute("create table items (id int primary key)")
    known = described_as_large(session, mirror.table("items", cursor=None))
    fills = ["insert into items select seq from seq_1_to_1000"]
    boundary = Chunker._boundary

    def fill_first(*arguments: object) -> object:
        while fills:
            operational.execute(fills.pop())
        return boundary(*arguments)

    monkeypatch.setattr(Chunker, "_boundary", fill_first)
    chunks = session.table(known, mirror.limits).read(Fields(known.columns[:1]))
    assert keys_read(chunks) == list(range(1, 1001))


def test_key_that_cannot_be_walked_in_order_is_told(
    items: Mirror, session: MySQLSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    items.limit(rows_per_value=1)
    # an endless walk is cut
    conditions = iter(["true"] * 100)
    monkeypatch.setattr(chunker, "source_condition", lambda *_: next(conditions))
    known = described_as_large(session, items.table("items"))
    with pytest.raises(TableError, match="cannot be read in order"):
        list(session.table(known, items.limits).read(Fields(known.columns[:1])))


def test_row_deleted_while_it_is_read_row_by_row_is_left_out(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refused("as the test wants it")

    def delete_first(key: tuple, value: tuple) -> str:
        operational.execute("delete from items where id = 2")
        return equality(key, value)

    equality = reader.source_equality
    monkeypatch.setattr(Reader, "_joined", refuse)
    monkeypatch.setattr(reader, "source_equality", delete_first)
    items.extract_one(items.table("items"), full_refresh=True, snapshot_seconds=0)
    assert query("select id from mrr.items order by id") == [(1,), (3,)]


def test_many_missing_rows_of_a_large_table_are_all_brought(
    large: Mirror, operational: OperationalDatabase
) -> None:
    operational.execute(f"insert into items select seq, -seq, 0, '{OLD}' from seq_2001_to_2600")
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied.inserted) == (0, 600)


def test_key_that_may_be_null_is_refused(operational: OperationalDatabase, mirror: Mirror) -> None:
    operational.execute("create table items (no int unique)")
    (outcome,) = mirror.extract(mirror.table("items", key=("no",), cursor=None))
    assert "key (no) is not a unique, NOT NULL key" in str(outcome.error)


def test_key_of_which_only_the_beginning_is_indexed_is_refused(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table items (k varchar(20) not null, unique (k(3)))")
    (outcome,) = mirror.extract(mirror.table("items", key=("k",), cursor=None))
    assert "key (k) is not a unique, NOT NULL key" in str(outcome.error)


@only_mariadb
def test_engine_beside_the_one_allowed_is_refused(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table items (id int primary key) engine = Aria")
    (outcome,) = mirror.extract(mirror.table("items", cursor=None, allow_engine="MyISAM"))
    assert "kept by the engine Aria" in str(outcome.error)
    mirror.extract_one(mirror.table("items", cursor=None, allow_engine="Aria"))


def test_column_that_may_no_longer_be_read_is_not_emptied(
    items: Mirror, operational: OperationalDatabase, root: Query, query: Query
) -> None:
    account = f"{READER}@127.0.0.1"
    root(f"revoke select on `{operational.name.replace('_', chr(92) + '_')}`.* from {account}")
    root(f"grant select (id, a, n, m, d, updated_at) on {operational.name}.items to {account}")
    (outcome,) = items.extract(items.table("items"))
    assert "Grant SELECT on the whole table" in str(outcome.error)
    assert query("select b from mrr.items order by id") == [("yVz",), ("",), (None,)]


@only_mariadb
def test_offset_of_a_datetime_window_is_the_lesser_of_winter_and_summer(
    servers: embedded.Servers, root: Query, set_global: SetGlobal
) -> None:
    """Clocks that were put forward meanwhile hide no row that was stamped before."""
    changed = datetime.now(UTC) - timedelta(hours=1)
    zone = "Test/Zone" + secrets.token_hex(4)
    root("insert into mysql.time_zone (use_leap_seconds) values ('N')")
    ((number,),) = root("select max(time_zone_id) from mysql.time_zone")
    root(f"insert into mysql.time_zone_name values ('{zone}', {number})")
    for kind, offset in enumerate((-18_000, -14_400)):
        root(
            "insert into mysql.time_zone_transition_type"
            f" values ({number}, {kind}, {offset}, {kind}, 'T{kind}')"
        )
    for at, kind in ((0, 0), (int(changed.timestamp()), 1)):
        root(f"insert into mysql.time_zone_transition values ({number}, {at}, {kind})")
    set_global("time_zone", zone)
    session = MySQLSource(servers.operational)
    assert session.local_offset_seconds == -14_400
    assert session.local_offset(changed - timedelta(minutes=5)) == -18_000
    assert session.local_offset(changed + timedelta(minutes=5)) == -14_400
    session.close()

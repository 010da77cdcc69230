"""A server whose own configuration would bend, cut or end what we read."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import embedded
from commands.endpoints import Endpoints
from common.errors import ServerError
from embedded.mariadb import APPLICATION, READER, ROOT, connection
from extract.mysql.settings import SETTINGS
from extract.mysql.source import MySQLSource
from tests.sources.choice import CHOSEN, IS_MARIADB, configured_server, make_numbers
from tests.sources.types import EXPECTED, TYPES
from tests.support.mirror import Mirror
from tests.support.proxy import proxy
from tests.support.servers import OperationalDatabase, new_operational

Query = Callable[..., list[tuple]]

EVERYWHERE = """
[mysqld]
autocommit = 0
completion-type = RELEASE
transaction-isolation = SERIALIZABLE
max-sort-length = 64
max-error-count = 0
net-read-timeout = 5
net-write-timeout = 5
wait-timeout = 2
interactive-timeout = 2
lock-wait-timeout = 1
group-concat-max-len = 4
div-precision-increment = 0
default-week-format = 3
lc-time-names = ja_JP
tmp-table-size = 1024
max-heap-table-size = 16384
sort-buffer-size = 32768
"""
MARIADB = """
skip-ssl
skip-character-set-client-handshake
sql-mode = ORACLE,EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,REAL_AS_FLOAT,\
TIME_ROUND_FRACTIONAL,NO_UNSIGNED_SUBTRACTION,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES
old-mode = ZERO_DATE_TIME_CAST
query-cache-type = 1
query-cache-size = 1M
max-statement-time = 1
idle-transaction-timeout = 1
optimizer-switch = index_merge=off,derived_merge=off,materialization=off
"""
MYSQL_TODAY = """
tls-version =
sql-mode = ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,\
NO_UNSIGNED_SUBTRACTION,REAL_AS_FLOAT,TIME_TRUNCATE_FRACTIONAL
range-optimizer-max-mem-size = 100
information-schema-stats-expiry = 31536000
show-gipk-in-create-table-and-information-schema = OFF
sql-generate-invisible-primary-key = ON
cte-max-recursion-depth = 1
"""
MYSQL_5_6 = """
skip-character-set-client-handshake
sql-mode = ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE
"""
FOR_ALL_SESSIONS = """
set global sql_select_limit = 1;
set global max_join_size = 1;
set global sql_auto_is_null = 1;
set global sql_safe_updates = 1;
set global sql_notes = 0;
set global init_connect = 'set session sql_mode = "ANSI_QUOTES", session time_zone = "+05:00"';
"""
ONLY_MARIADB = "set global system_versioning_asof = '2001-01-01';"
# one millisecond, which ends what the test itself reads too: set once the server is furnished
ONLY_MYSQL_TODAY = "set global max_execution_time = 1;"


RELIED_ON = {
    "autocommit": "ON",
    "character_set_client": "utf8mb4",
    "character_set_connection": "utf8mb4",
    "character_set_results": "utf8mb4",
    "collation_connection": "utf8mb4_bin",
    "completion_type": "NO_CHAIN",
    "idle_readonly_transaction_timeout": "0",
    "idle_transaction_timeout": "0",
    "information_schema_stats_expiry": "0",
    "innodb_lock_wait_timeout": "1",
    "lock_wait_timeout": "5",
    "max_execution_time": "2000",
    "max_join_size": str(2**64 - 1),
    "max_session_mem_used": str(2**63 - 1),
    "max_sort_length": "8192",
    "max_statement_time": "2.000000",
    "net_read_timeout": "60",
    "net_write_timeout": "60",
    "note_verbosity": "basic",
    "old_mode": "",
    "query_cache_type": "OFF",
    "range_optimizer_max_mem_size": "0",
    "show_gipk_in_create_table_and_information_schema": "ON",
    "sql_auto_is_null": "OFF",
    "sql_big_selects": "ON",
    "sql_mode": "",
    "sql_select_limit": str(2**64 - 1),
    "system_versioning_asof": "DEFAULT",
    "time_zone": "+00:00",
    "transaction_isolation": "REPEATABLE-READ",
    "transaction_read_only": "ON",
    "tx_isolation": "REPEATABLE-READ",
    "tx_read_only": "ON",
    "use_secondary_engine": "OFF",
    "wait_timeout": "28800",
}


def configuration() -> str:
    if IS_MARIADB:
        return EVERYWHERE + MARIADB
    return EVERYWHERE + (MYSQL_5_6 if CHOSEN == "mysql-5.6" else MYSQL_TODAY)


def for_all_sessions() -> str:
    if IS_MARIADB:
        return FOR_ALL_SESSIONS + ONLY_MARIADB
    return FOR_ALL_SESSIONS + ("" if CHOSEN == "mysql-5.6" else ONLY_MYSQL_TODAY)


@pytest.fixture(scope="module")
def hostile(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[embedded.Servers]:
    """The servers of the tests, but for the one to mirror, which is hostile."""
    home = tmp_path_factory.mktemp("hostile")
    file = home / "hostile.cnf"
    file.write_text(configuration(), encoding="utf-8")
    server = configured_server(home, file)
    server.start()
    made = replace(
        servers,
        operational=server.address(READER),
        operational_admin=server.address(APPLICATION),
        operational_root=server.address(ROOT),
    )
    make_numbers(made)
    with connection(made.operational_root) as root, root.cursor() as cursor:
        for statement in for_all_sessions().strip().splitlines():
            cursor.execute(statement)
    yield made
    server.stop()


@pytest.fixture
def operational(hostile: embedded.Servers) -> Iterator[OperationalDatabase]:
    """A database there, whose application sets its own session up."""
    with new_operational(hostile) as database:
        with database.connection.cursor() as cursor:
            cursor.execute("set session sql_mode = ''")
            for name, value in (
                ("sql_safe_updates", 0),
                ("sql_select_limit", "default"),
                ("max_join_size", 2**64 - 1),
                ("sql_select_limit", 2**64 - 1),
                ("completion_type", 0),
                ("time_zone", "'+00:00'"),
                ("wait_timeout", 600),
            ):
                cursor.execute(f"set session {name} = {value}")
            if CHOSEN == "mysql":
                cursor.execute("set session max_execution_time = 0")
            cursor.execute("set names utf8mb4")
        yield database


@pytest.fixture
def endpoints(hostile: embedded.Servers, warehouse) -> Endpoints:
    return Endpoints(hostile.operational, warehouse, None)


def test_settings_of_a_session_are_those_it_relies_on(hostile: embedded.Servers) -> None:
    session = MySQLSource(hostile.operational)
    found = dict(session.rows("show session variables"))
    session.close()
    assert {name for setting in SETTINGS for name in setting.names} <= set(RELIED_ON)
    assert len(set(RELIED_ON) & set(found)) >= 20
    assert {name: found[name] for name in RELIED_ON if name in found} == {
        name: value for name, value in RELIED_ON.items() if name in found
    }
    assert found["group_concat_max_len"] == found["max_allowed_packet"]


def test_settings_of_a_session_survive_a_lost_connection(hostile: embedded.Servers) -> None:
    session = MySQLSource(hostile.operational)
    ((number,),) = session.rows("select connection_id()")
    with connection(hostile.operational_root) as root, root.cursor() as cursor:
        cursor.execute(f"kill connection {number}")
    assert session.row("select @@sql_mode, @@sql_select_limit, @@time_zone, @@autocommit") == (
        "",
        2**64 - 1,
        "+00:00",
        1,
    )
    session.close()


def test_every_type_arrives_as_it_is(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TYPES.items())
    values = ", ".join(literal for _, literal in TYPES.values())
    operational.execute(f"create table cells (id int primary key, {columns})")
    operational.execute(f"insert into cells values (1, {values})")
    table = mirror.table("cells", cursor=None)
    outcome = mirror.extract_one(table)
    texts = ", ".join(f"{name}::text" for name in TYPES)
    (row,) = query(f"select {texts} from mrr.cells")
    assert dict(zip(TYPES, row, strict=True)) == EXPECTED
    assert outcome.verification.repaired_rows == 0
    assert mirror.extract_one(table).applied.rows == 0


def test_changes_and_deletes_are_followed(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Callable[[str], list[tuple]]
) -> None:
    operational.execute(
        "create table items (id int primary key, name varchar(20), tale char(9), day date,"
        " at timestamp(6) default current_timestamp(6) on update current_timestamp(6))"
    )
    operational.execute(
        "insert into items (id, name, tale, day) select seq, concat('a\\\\b''\"', seq), 'x',"
        " if(seq % 2, '2024-02-29', null) from seq_1_to_3000"
    )
    table = mirror.table("items", cursor="at")
    assert mirror.extract_one(table).applied.inserted == 3000
    operational.execute("delete from items where id % 100 = 0")
    operational.execute("update items set name = '' where id = 7")
    operational.execute("update items set tale = null, at = at where id = 8")
    outcome = mirror.extract_one(table)
    assert (outcome.applied.updated, outcome.applied.deleted) == (2, 30)
    assert outcome.verification.is_equal
    rows = operational.execute("select id, name, tale, day from items order by id")
    assert [row[:4] for row in rows_of("items")] == rows
    assert mirror.extract_one(table).applied.rows == 0


def test_keys_of_text_are_followed(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Callable[[str], list[tuple]]
) -> None:
    keys = ["a\\b", "it's", 'say "x"', "a||b", "%s", "", "ä", "a\\", "\\'"]
    operational.execute("create table words (word varchar(20) primary key, n int)")
    for key in keys:
        operational.execute("insert into words values (%s, 1), (%s, 2)", (key, f"{key}, gone"))
    table = mirror.table("words", key=("word",), cursor=None)
    mirror.extract_one(table)
    for key in keys:
        operational.execute("update words set n = 5 where word = %s", (key,))
    operational.execute("delete from words where n = 2")
    assert mirror.extract_one(table).applied.rows == 2 * len(keys)
    assert sorted(rows_of("words")) == sorted((key, 5) for key in keys)


def test_two_collations_of_a_character_set_stand_in_a_row(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Callable[[str], list[tuple]]
) -> None:
    other = "utf8mb4_nopad_bin" if IS_MARIADB else "utf8mb4_0900_bin"
    other = "utf8mb4_unicode_ci" if CHOSEN == "mysql-5.6" else other
    document = "longtext" if CHOSEN == "mysql-5.6" else "json"
    operational.execute(
        "create table pairs (id int primary key, a varchar(20) collate utf8mb4_bin,"
        f" b varchar(20) collate {other}, c {document}, d varchar(20) character set latin1,"
        " e varchar(20) collate utf8mb4_general_ci)"
    )
    operational.execute("""insert into pairs values (1, 'a', 'b ', '{"k": 1}', 'é', '')""")
    table = mirror.table("pairs", cursor=None)
    mirror.extract_one(table)
    operational.execute("update pairs set b = 'b' where id = 1")
    assert mirror.extract_one(table).applied.updated == 1
    ((_, a, b, c, d, e),) = rows_of("pairs")
    # MariaDB's JSON is a LONGTEXT
    assert c == ('{"k": 1}' if IS_MARIADB or document == "longtext" else {"k": 1})
    assert (a, b, d, e) == ("a", "b", "é", "")


@pytest.mark.parametrize(
    ("sent", "instead", "problem"),
    [
        (b"session sql_mode = ''", b"@ession_sql_mode = ''", 'sql_mode is "'),
        (
            b"session sql_select_limit = 1",
            b"@ession_sql_select_limit = 1",
            'sql_select_limit is "1"',
        ),
        (b"session max_join_size = 1", b"@ession_max_join_size = 1", 'max_join_size is "1"'),
        (b"session wait_timeout = 28800", b"@ession_wait_timeout = 28800", 'wait_timeout is "2"'),
        (b"collate utf8mb4_bin", b"                   ", 'collation_connection is "'),
        (
            b"session completion_type = 'NO_CHAIN'",
            b"session completion_type = 'NO_CHAIX'",
            'completion_type cannot be set to "NO_CHAIN"',
        ),
        (b"sha2('a', 256)", b"nullif('', '')", "sha2() is NULL there"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else None,
)
def test_setting_that_is_not_taken_is_named(
    hostile: embedded.Servers, sent: bytes, instead: bytes, problem: str
) -> None:
    with (
        proxy(hostile.operational, instead=(sent, instead)) as between,
        pytest.raises(ServerError) as caught,
    ):
        MySQLSource(between.address)
    assert str(caught.value).startswith("operational tidemark_reader@127.0.0.1:")
    assert problem in str(caught.value)
    assert "\nHINT: " in str(caught.value)


def test_setting_that_a_new_connection_does_not_take_ends_the_reading(
    hostile: embedded.Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.mysql.session.RETRY_PAUSES", (0.0, 0.0))
    with proxy(hostile.operational) as between:
        session = MySQLSource(between.address)
        between.instead = (b"session wait_timeout = 28800", b"@ession_wait_timeout = 28800")
        ((number,),) = session.rows("select connection_id()")
        with connection(hostile.operational_root) as root, root.cursor() as cursor:
            cursor.execute(f"kill connection {number}")
        with pytest.raises(ServerError) as caught:
            session.rows("select 1")
        session.close()
    assert 'wait_timeout is "2" after it was set to "28800"' in str(caught.value)


@pytest.mark.skipif(not IS_MARIADB, reason="only MariaDB versions rows")
def test_rows_of_a_versioned_table_are_those_of_today(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Callable[[str], list[tuple]]
) -> None:
    operational.execute("create table items (id int primary key) with system versioning")
    operational.execute("insert into items values (1), (2)")
    operational.execute("delete from items where id = 2")
    mirror.extract_one(mirror.table("items", cursor=None))
    assert rows_of("items") == [(1,)]

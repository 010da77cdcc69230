"""What the source sees of a run, by its own general log: the page for its DBA says the same."""

import re
from collections.abc import Callable, Iterator

import pytest

import embedded
from common.settings import PROJECT
from extract.mysql.moment import AFTER_EACH, BEGIN, END
from extract.mysql.settings import SETTINGS
from operational.connection import connection as operational_connection
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

PAGE = (PROJECT / "docs" / "for-your-dba.md").read_text(encoding="utf-8")
LOCKING = re.compile(r"for update|for share|lock in share mode|lock table|flush", re.IGNORECASE)
WRITING = re.compile(r"into outfile|into @|create |insert |update |delete |analyze ", re.IGNORECASE)
LIMITED = re.compile(r"^set statement max_statement_time = [0-9.]+ for ")
"""What stands before a statement in a snapshot."""
FORMS = [
    r"limit 1 offset \d+$",
    r"^select cast\(group_concat\(.* where \(`updated_at` >= ",
    r"bit_or\(",
    r"^select sha2\(ifnull\(group_concat\(",
    r"where \(\(`id` = \d+\)( or \(`id` = \d+\))*\)",
    r" where `id` = 9999 and \(",
    r"cast\(`day` as char\)",
]
"""What the run of the test must have sent, so that each form of statement was looked at."""


@pytest.fixture
def statements(servers: embedded.Servers) -> Iterator[Callable[[], list[str]]]:
    """The statements of the reading account since the test began."""
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute("set global log_output = 'TABLE'")
        cursor.execute("truncate mysql.general_log")
        cursor.execute("set global general_log = 1")

        def read() -> list[str]:
            cursor.execute(
                "select convert(argument using utf8mb4) from mysql.general_log"
                " where command_type = 'Query' and user_host like %s",
                (f"{servers.operational.user}[%",),
            )
            return [argument for (argument,) in cursor.fetchall()]

        yield read
        cursor.execute("set global general_log = 0")
        cursor.execute("truncate mysql.general_log")


def check_plain_reads(sent: list[str]) -> None:
    """Every form of a read is among the statements, and nothing that locks or writes."""
    asked = [LIMITED.sub("", statement) for statement in sent]
    for form in FORMS:
        assert any(re.search(form, statement, re.DOTALL) for statement in asked), form
    others = {
        statement
        for statement in sent
        if statement.split()[0].lower() not in ("select", "set", "show")
    }
    assert others == {*BEGIN, AFTER_EACH, END}
    assert [statement for statement in sent if LOCKING.search(statement)] == []
    assert [statement for statement in sent if WRITING.search(statement)] == []


def test_run_sends_nothing_but_plain_reads(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Callable[..., list[tuple]],
    statements: Callable[[], list[str]],
) -> None:
    """First load, window, keys, digests, rows read again one by one and in bulk, anomalies."""
    mirror.limit(range_rows=100)
    mirror.limit(keys_per_statement=50)
    operational.execute("set session sql_mode = ''")
    operational.execute(
        "create table items (id int primary key, name longtext, more longtext, day date,"
        " updated_at timestamp(6))"
    )
    operational.execute(
        "insert into items select seq, concat('item ', seq), '', if(seq = 5, 0, '2020-01-01'),"
        " '2020-01-01' from seq_1_to_2000"
    )
    table = mirror.table("items")
    mirror.extract_one(table)
    operational.execute("delete from items where id = 7")
    operational.execute("update items set name = 'much', updated_at = updated_at where id < 300")
    query("update mrr_state.key_range set compared_at = null")
    mirror.extract_one(table)
    query("update mrr_state.key_range set compared_at = null")
    operational.execute("update items set name = 'few', updated_at = updated_at where id = 300")
    operational.execute(
        "insert into items values (9999, repeat('x', 9000000), repeat('y', 9000000), null, now(6))"
    )
    mirror.extract_one(table)
    check_plain_reads(statements())


def test_settings_of_the_session_are_those_that_the_page_names(
    operational: OperationalDatabase, mirror: Mirror, statements: Callable[[], list[str]]
) -> None:
    operational.execute("create table items (id int primary key)")
    mirror.extract_one(mirror.table("items", cursor=None))
    sets = [
        statement
        for statement in statements()
        if statement.lower().startswith("set ") and not LIMITED.search(statement)
    ]
    assert sets
    for statement in (*BEGIN, AFTER_EACH, END):
        assert f"`{statement}`" in PAGE, statement
    for statement in sets:
        for name in re.findall(r"names|autocommit|\w+(?= = )", statement.lower()):
            assert f"`{name}`" in PAGE, statement


def test_every_setting_of_a_session_is_on_the_page() -> None:
    missing = [name for setting in SETTINGS for name in setting.names if f"`{name}`" not in PAGE]
    assert missing == []


def test_catalog_is_read_without_a_join_or_a_subquery(
    operational: OperationalDatabase, mirror: Mirror, statements: Callable[[], list[str]]
) -> None:
    """A subquery on it crashed MariaDB 10.11."""
    operational.execute("create table items (id int primary key)")
    mirror.extract_one(mirror.table("items", cursor=None))
    catalog = [statement for statement in statements() if "from information_schema" in statement]
    assert catalog
    for statement in catalog:
        assert statement.lower().count("select") == 1, statement
        assert " join " not in statement.lower(), statement

"""A person is erased from everything, and stays erased: one canary, searched for everywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

import embedded
from backup.repository.files import PARTIAL
from commands.forget.work import PersonNotFound, Subject, subject_of
from common.errors import UsageError
from extract.declarations.person_places import places_of_persons
from operational.connection import connection as operational_connection
from run import main
from tests.support.canary import Canary, done, newest_backup, rows_of_others, unpacked
from tests.support.command_line import CommandLine, check_told, copy_of_project
from tests.support.servers import new_warehouse, querying

Query = Callable[..., list[tuple]]
KEY = "970011"
UNFINISHED = f"20260101T000000.000000Z{PARTIAL}"
SALES = (9700111, 9700112)
CANARY = Canary("Zenobia|Quillfeather|Plumehart", KEY)


@pytest.fixture(scope="module")
def source(servers: embedded.Servers) -> Iterator[Query]:
    """SQL at the shop, in which the canary lives for the time of these tests."""
    with operational_connection(servers.operational_root, "sales") as connection:

        def execute(sql: str) -> list[tuple]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = list(cursor.fetchall())
            connection.commit()
            return rows

        execute(f"insert into customers (id, name, country) values ({KEY}, 'Zenobia Q', 'Elbonia')")
        for sale in SALES:
            execute(
                f"insert into sales (id, customerId, productId, qty) values ({sale}, {KEY}, 1, 2)"
            )
        yield execute
        execute(f"delete from sales where id in {SALES}")
        execute(f"delete from customers where id = {KEY}")


@pytest.fixture(scope="module")
def shop(
    servers: embedded.Servers, source: Query, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """A warehouse that has two versions of the canary, and whose logs quote the name."""
    folder = copy_of_project(tmp_path_factory.mktemp("forget") / "project")
    with new_warehouse(servers) as address:
        command_line = CommandLine(folder, servers.operational, address)
        done(command_line)
        source(f"update customers set name = 'Zenobia Quillfeather' where id = {KEY}")
        done(command_line)
        source(f"update customers set name = 'Zenobia Plumehart' where id = {KEY}")
        done(command_line)
        yield command_line


@pytest.fixture(scope="module")
def warehouse_query(shop: CommandLine) -> Iterator[Query]:
    with querying(shop.addresses[1]) as run:
        yield run


def test_dry_run_counts_and_changes_nothing(shop: CommandLine, warehouse_query: Query) -> None:
    before = CANARY.in_warehouse(warehouse_query)
    said = done(shop, "forget", "--subject", f"sales_customer:{KEY}", "--dry-run")
    assert "mrr.mrr_fact_sales  2 rows without the person" in said
    assert "dwh.dwh_history_customers  3 rows deleted" in said
    assert "nothing was changed" in said
    assert CANARY.in_warehouse(warehouse_query) == before
    assert before["dwh.dwh_history_customers"] == 3


@pytest.fixture(scope="module")
def old(servers: embedded.Servers, shop: CommandLine) -> Path:
    """A backup that has the canary."""
    done(shop, "backup")
    made = newest_backup(shop)
    assert CANARY.is_in(unpacked(servers, made))
    return made


@pytest.fixture(scope="module")
def others(shop: CommandLine, old: Path, warehouse_query: Query) -> dict[str, tuple]:
    """The rows of everybody else, before the canary is quoted by logs and files, and erased."""
    query = warehouse_query
    query(
        "insert into dwh.procedure_errors (procedure_name, error_code, error_message)"
        " values ('p', 'P0001', 'no Zenobia Plumehart in it')"
    )
    query(
        "insert into dwh.run_log (run_id, process, step, status, started_at, error_message)"
        " values ('r', 'test', 's', 'error', now(), 'no Zenobia Plumehart in it')"
    )
    with (shop.folder / ".local" / "logs" / "tidemark.log").open("a") as log:
        log.write("error in Zenobia Quillfeather\n")
    (shop.folder / "out" / "export.csv").write_text("7,Zenobia Plumehart,x\n")
    # what a killed run has read and landed
    killed = shop.folder / ".local" / "landing" / "killed"
    killed.mkdir(parents=True)
    (killed / "t1.000001.csv").write_text(f"{KEY},Zenobia Plumehart\n")
    query("create schema mrr_landing")
    query("create table mrr_landing.t1 as select 'Zenobia Plumehart' as c2")
    # what a killed restore and a killed backup have left
    query("create schema tidemark_restoring_mrr")
    query("create table tidemark_restoring_mrr.t1 as select 'Zenobia Plumehart' as c2")
    (old.parent / UNFINISHED).mkdir()
    assert len(CANARY.in_warehouse(query)) > 8
    assert CANARY.in_files(shop)
    return rows_of_others(query, KEY, *SALES)


def test_file_that_cannot_be_changed_stops_the_erasure_until_it_can(
    shop: CommandLine, others: dict[str, tuple], warehouse_query: Query
) -> None:
    before = CANARY.in_warehouse(warehouse_query)
    program = shop.folder / "out" / "program"
    program.write_bytes(Path("/bin/sleep").read_bytes() + b" Zenobia Plumehart")
    program.chmod(0o700)
    running = Popen([program, "600"])
    try:
        stopped = shop.run("forget", "--subject", f"sales_customer:{KEY}")
    finally:
        running.kill()
        running.wait()
    check_told(stopped, 1, "program: text file busy")
    # it is no layer, and is dropped before the transaction
    assert before.pop("tidemark_restoring_mrr.t1") == 1
    assert CANARY.in_warehouse(warehouse_query) == before


@pytest.fixture(scope="module")
def erased(shop: CommandLine, others: dict[str, tuple]) -> str:
    """What the command says that erases the canary."""
    return done(shop, "forget", "--subject", f"sales_customer:{KEY}")


def test_canary_is_erased_everywhere_and_others_are_unchanged(
    shop: CommandLine, old: Path, others: dict[str, tuple], erased: str, warehouse_query: Query
) -> None:
    query, said = warehouse_query, erased
    assert f"backup {old.name} has the person: kept until 2" in said
    assert f"{UNFINISHED} may have the person: the next backup removes it" in said
    assert not CANARY.is_in(said.encode())
    assert CANARY.in_warehouse(query) == {}
    assert CANARY.in_files(shop) == []
    assert rows_of_others(query, KEY, *SALES) == others
    ids = str(SALES)
    assert query(f'select "customerId", qty from mrr.mrr_fact_sales where id in {ids}') == [
        (-1, 2),
        (-1, 2),
    ]
    assert query(
        "select customer_id, customer_key, sale_quantity from dwh.dwh_fact_sales"
        f" where sale_id in {ids}"
    ) == [(-1, -1, 2), (-1, -1, 2)]
    assert (shop.folder / "out" / "export.csv").read_text() == f"7,{'*' * 17},x\n"


def test_fresh_backup_does_not_have_the_person(
    servers: embedded.Servers, shop: CommandLine, old: Path, erased: str
) -> None:
    done(shop, "backup")
    fresh = newest_backup(shop)
    text = unpacked(servers, fresh)
    assert b"forgotten_person" in text and not CANARY.is_in(text)
    said = done(shop, "forget", "--subject", f"sales_customer:{KEY}", "--dry-run")
    assert "the person had been erased before" in said
    assert f"backup {old.name} has the person" in said
    assert fresh.name not in said


@pytest.mark.slow
def test_source_that_still_has_the_person_brings_nothing_back(
    shop: CommandLine, source: Query, warehouse_query: Query, erased: str
) -> None:
    query = warehouse_query
    source(f"update customers set country = 'Freedonia' where id = {KEY}")
    done(shop)
    done(shop, "--full-refresh")
    done(shop, "verify")
    assert query(
        "select excluded_rows, is_equal from dwh.mirror_verification"
        " where table_name = 'mrr_dim_customers' order by checked_to desc limit 1"
    ) == [(1, True)]
    assert CANARY.in_warehouse(query) == {}


@pytest.mark.slow
def test_restored_backup_of_before_does_not_have_the_person(
    shop: CommandLine, old: Path, others: dict[str, tuple], erased: str, warehouse_query: Query
) -> None:
    query = warehouse_query
    said = done(shop, "restore", "--backup", old.name)
    assert "rows of persons who were erased before were erased again" in said
    assert CANARY.in_warehouse(query) == {}
    done(shop)
    assert CANARY.in_warehouse(query) == {}
    assert rows_of_others(query, KEY, *SALES) == others
    done(shop, "verify")


def test_erasing_again_and_a_mistyped_key_are_told(shop: CommandLine, erased: str) -> None:
    said = done(shop, "forget", "--subject", f"sales_customer:0{KEY}")
    assert "the person had been erased before" in said
    mistyped = shop.run("forget", "--subject", "sales_customer:970012")
    check_told(mistyped, 1, "forget sales_customer: no row of the warehouse has this key")
    wrong = shop.run("forget", "--subject", "sales_customer:Zoe")
    check_told(wrong, 2, "a key of type integer cannot be read from what follows the colon")


@pytest.mark.slow
def test_backup_restored_into_a_new_warehouse_keeps_the_person_erased(
    servers: embedded.Servers, shop: CommandLine, erased: str
) -> None:
    done(shop, "backup")
    with new_warehouse(servers) as address:
        other = CommandLine(shop.folder, servers.operational, address)
        done(other, "restore")
        done(other)
        with querying(address) as query:
            assert CANARY.in_warehouse(query) == {}
            assert query("select * from mrr_forgotten.forgotten_key order by 1") == [
                ("mrr_dim_customers", KEY),
                ("mrr_fact_sales", KEY),
            ]


def test_unknown_kind_is_told_with_those_that_are_known() -> None:
    places = places_of_persons()
    with pytest.raises(UsageError) as caught:
        subject_of("sales_custmer:7", places)
    assert str(caught.value) == (
        "--subject sales_custmer: no such kind of person\n"
        "HINT: Did you mean sales_customer?"
        " Known: ecommerce_customer, ewallet_user, sales_customer."
    )
    with pytest.raises(UsageError) as caught:
        subject_of("sales_customer", places)
    assert str(caught.value).endswith("HINT: Give it as sales_customer:KEY.")


def test_missing_subject_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget"]) == 2
    assert capsys.readouterr().err == (
        "--subject: not given\nHINT: `python run.py forget --help` has an example.\n"
    )


def test_message_of_a_person_who_is_not_found_has_no_key() -> None:
    error = PersonNotFound(Subject("sales_customer", "4711"))
    assert "4711" not in str(error)
    assert str(error).endswith(
        "HINT: Look the key up at the source: it is the value of its key column, without quotes."
    )

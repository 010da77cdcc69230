"""What an erasure takes with the rows: notes of them, and what has landed of them."""

import re
from pathlib import Path
from subprocess import Popen

import pytest

from commands.forget import files
from commands.forget.files import FilesNotMasked, mask_values
from commands.forget.work import RelationsInUse, Subject, told_if_in_use
from tests.support.mirror import Mirror, Query
from warehouse import erasing
from warehouse.connection import connect, transaction
from warehouse.erasing import Erased, Erasure, Values
from warehouse.landings import drop_landings
from warehouse.persons import PersonPlace, note_keys, register

NAME = "Zenobia Quillfeather"
ENDS = "select above, up_to from mrr_state.key_range where table_name = 'buyers'"


def erase(mirror: Mirror, place: PersonPlace, key: str) -> None:
    with transaction(mirror.connection), mirror.connection.cursor() as cursor:
        Erasure(cursor, "test").erase([place], {place.subject: [key]})


def note(query: Query, table: str, row_key: str) -> None:
    """Note a row wherever rows are noted."""
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        f" values ('{table}', '{row_key}', 'delete', 'r')"
    )
    query(
        "insert into mrr_state.guard_candidate (table_name, row_key, run_id)"
        f" values ('{table}', '{row_key}', 'r')"
    )
    query(
        "insert into dwh.mirror_anomaly"
        " (table_name, row_key, column_name, source_value, reason)"
        f" values ('{table}', '{row_key}', 'note', 'x', 'y')"
    )


@pytest.mark.parametrize(
    ("kind", "literal", "key", "member", "ends"),
    [
        ("integer", "7", "7", "7", "7"),
        ("numeric(10, 2)", "7", "7", "7.00", "7.00"),
        ("text", "'Ann'", "Ann", '"Ann"', "Ann"),
        ("bytea", r"'\x0a0b'", r"\x0a0b", r'"\\x0a0b"', "0a0b"),
    ],
    ids=["integer", "number with decimals", "text", "bytes"],
)
@pytest.mark.parametrize("is_there", [True, False], ids=["mirrored", "deleted before"])
def test_notes_of_a_person_are_deleted_and_those_of_others_stay(
    mirror: Mirror, query: Query, kind: str, literal: str, key: str, member: str, ends: str,
    is_there: bool,
) -> None:  # fmt: skip
    query(f"create table mrr.buyers (region int, id {kind}, primary key (region, id))")
    if is_there:
        query(f"insert into mrr.buyers values (1, {literal})")
    place = PersonPlace("mrr", "buyers", "test_buyer", "id", erases_rows=True)
    other = '{"region": 1, "id": 8}'
    note(query, "buyers", f'{{"region": 1, "id": {member}}}')
    note(query, "buyers", other)
    note(query, "items", f'{{"id": {member}}}')
    bounds = "insert into mrr_state.key_range (table_name, above, up_to) values"
    query(f"{bounds} ('buyers', null, array['1', '{ends}']), ('buyers', array['1', '9'], null)")
    query(f"{bounds} ('items', null, array['{ends}'])")
    erase(mirror, place, key)
    keys = "select row_key::jsonb from {0} where table_name = 'buyers' and row_key is not null"
    for table in ("mrr_state.change_log", "mrr_state.guard_candidate", "dwh.mirror_anomaly"):
        assert query(keys.format(table)) == [({"region": 1, "id": 8},)], table
        assert query(f"select count(*) from {table} where table_name = 'items'") == [(1,)]
    assert query("select table_name from mrr_state.key_range") == [("items",)]


def test_ranges_that_end_with_nobody_of_the_erased_stay(mirror: Mirror, query: Query) -> None:
    query("create table mrr.buyers (id int primary key); insert into mrr.buyers values (7)")
    query("insert into mrr_state.key_range (table_name, up_to) values ('buyers', array['70'])")
    erase(mirror, PersonPlace("mrr", "buyers", "test_buyer", "id", erases_rows=True), "7")
    assert query(ENDS) == [(None, ["70"])]


def test_statistics_of_the_planner_lose_the_person(mirror: Mirror, query: Query) -> None:
    query("create table mrr.buyers (id int primary key, name text)")
    query(f"insert into mrr.buyers select n, '{NAME}' || n % 3 from generate_series(1, 300) as n")
    query("insert into mrr.buyers values (970041, 'Ann')")
    for table, end in (("buyers", 970041), ("items", 8)):
        query(
            "insert into mrr_state.key_range (table_name, up_to) values (%s, array[%s])",
            (table, str(end)),
        )
        note(query, table, f'{{"id": {end}}}')
    query("analyze")
    in_statistics = (
        "select tablename from pg_stats where concat(most_common_vals, histogram_bounds,"
        " most_common_elems) ~ '970041'"
    )
    assert query(in_statistics)
    erase(mirror, PersonPlace("mrr", "buyers", "test_buyer", "id", True, ("name",)), "970041")
    assert query(in_statistics) == []


@pytest.mark.parametrize("kind", ["int", "text"])
def test_log_that_names_the_key_of_a_row_which_is_gone_is_masked(
    mirror: Mirror, query: Query, kind: str
) -> None:
    query(f"create table mrr.buyers (id {kind} primary key, name text)")
    member = "70" if kind == "int" else '"70"'
    query(
        "insert into dwh.run_log (run_id, process, step, status, started_at, error_message) values"
        " ('r', 'verify', 'buyers', 'error', now(), %s)",
        (f'differs: {{"id": {member}}}, {{"id": 7}}',),
    )
    erase(mirror, PersonPlace("mrr", "buyers", "test_buyer", "id", True), "70")
    assert query("select error_message from dwh.run_log") == [('differs: (erased), {"id": 7}',)]


def test_keys_that_differ_in_case_only_are_found(mirror: Mirror, query: Query) -> None:
    query("create table mrr.buyers (id text primary key); create table mrr.orders (buyer int)")
    query("insert into mrr.buyers values ('Abc'), ('aBC'), ('abd')")
    places = [
        PersonPlace("mrr", "buyers", "test_buyer", "id", True),
        PersonPlace("mrr", "orders", "test_buyer", "buyer", False),
    ]
    with mirror.connection.cursor() as cursor:
        found = Erasure(cursor, "test").in_another_case(places, "Abc")
    assert found == [Erased("mrr.buyers", 1)]


def landed(query: Query, schema: str = "mrr_landing_shop") -> dict[str, int]:
    """Bulk loads of two tables, and a table that a killed run has landed; the numbers of both."""
    query(f"create schema {schema}; create table {schema}.t1 as select '{NAME}' as c1")
    numbers = {}
    for table in ("buyers", "items"):
        ((numbers[table],),) = query(
            "insert into mrr_state.bulk_load (table_name, source_identity, read_at)"
            f" values ('{table}', 'x', now()) returning bulk_load_id"
        )
        query(f"create table {schema}.bulk_{numbers[table]} as select '{NAME}' as c1")
    return numbers


def relations(query: Query) -> set[str]:
    found = query("select tablename from pg_tables where schemaname = 'mrr_landing_shop'")
    return {name for (name,) in found}


def test_bulk_load_of_a_table_goes_with_what_it_has_landed(mirror: Mirror, query: Query) -> None:
    numbers = landed(query)
    with transaction(mirror.connection), mirror.connection.cursor() as cursor:
        note_keys(cursor, "buyers", ["7"])
    # a run that is under way has landed the other two
    assert relations(query) == {"t1", f"bulk_{numbers['items']}"}
    assert query("select table_name from mrr_state.bulk_load") == [("items",)]


def test_what_killed_runs_have_landed_goes_with_an_erasure(mirror: Mirror, query: Query) -> None:
    numbers = landed(query)
    with transaction(mirror.connection), mirror.connection.cursor() as cursor:
        register(cursor, "test_buyer", "7", ["buyers"])
        drop_landings(cursor)
    assert relations(query) == {f"bulk_{numbers['items']}"}


def test_lock_of_a_build_is_told_when_it_is_not_released(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "WAIT", "50ms")
    place = PersonPlace("dwh", "dwh_dim_buyers", "test_buyer", "buyer_id", erases_rows=True)
    building = connect(mirror.endpoints.warehouse)
    try:
        with transaction(building), building.cursor() as held:
            Erasure(held, "other").wait_for_builds([place])
            with (
                pytest.raises(RelationsInUse) as caught,
                transaction(mirror.connection),
                mirror.connection.cursor() as cursor,
                told_if_in_use(Subject("test_buyer", "7")),
            ):
                Erasure(cursor, "test").wait_for_builds([place])
    finally:
        building.close()
    assert str(caught.value) == (
        "forget test_buyer: another session has held a lock on a relation that has the person"
        " for 60s\nHINT: Nothing was erased. Repeat the command when the build or the transaction"
        " that pg_stat_activity shows has ended."
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files such as Tidemark and dbt write, each of which has the person."""
    monkeypatch.setattr(files, "PROJECT", tmp_path)
    monkeypatch.setattr(files, "DBT_PROJECT", tmp_path / "dbt_project")
    monkeypatch.setattr(files, "LOG_FILE", tmp_path / ".local" / "logs" / "tidemark.log")
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in (*WRITTEN, *KEPT):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"a {NAME} b")
    return tmp_path


WRITTEN = (
    ".local/logs/tidemark.log",
    ".local/logs/tidemark.log.1",
    "dbt_project/logs/dbt.log",
    "dbt_project/target/compiled/tidemark/a.sql",
    "dbt_project/target/run/tidemark/a.sql",
    "dbt_project/target/run_results.json",
    "out/dashboard.html",
    "out/below/export.csv",
)
KEPT = (
    "dbt_project/target/manifest.json",
    "dbt_project/target/partial_parse.msgpack",
    "dbt_project/models/a.sql",
)


def test_files_that_quote_rows_are_masked_and_dbts_manifest_is_left(project: Path) -> None:
    assert mask_values({NAME}) == {project / name: 1 for name in WRITTEN}
    for name in WRITTEN:
        assert (project / name).read_text() == f"a {'*' * len(NAME)} b", name
    for name in KEPT:
        assert (project / name).read_text() == f"a {NAME} b", name


@pytest.mark.parametrize(
    "quoted", ["O'Hara", "O''Hara", "O&#x27;Hara"], ids=["text", "SQL", "HTML"]
)
def test_name_with_an_apostrophe_is_masked_as_it_is_quoted(project: Path, quoted: str) -> None:
    log = project / "dbt_project" / "logs" / "dbt.log"
    log.write_text(f"where name = '{quoted}'")
    assert mask_values({"O'Hara"}) == {log: 1}
    assert log.read_text() == f"where name = '{'*' * len(quoted)}'"


def test_pattern_of_values_finds_an_apostrophe_as_sql_writes_it() -> None:
    pattern = Values({"O'Hara"}).pattern
    assert pattern
    told = "Key (name)=(O'Hara) in: insert into a values ('O''Hara', 'O''Haras')"
    assert re.findall(pattern, told) == ["O'Hara", "O''Hara"]


def test_logs_of_dbt_are_masked_where_they_are(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "dbt.log").write_text(NAME)
    monkeypatch.setenv("DBT_LOG_PATH", str(elsewhere))
    assert mask_values({NAME})[elsewhere / "dbt.log"] == 1


def test_file_that_cannot_be_changed_is_told_once_all_others_are_masked(project: Path) -> None:
    program = project / "out" / "a program"
    program.write_bytes(Path("/bin/sleep").read_bytes() + f" {NAME}".encode())
    program.chmod(0o700)
    process = Popen([program, "600"])
    try:
        with pytest.raises(FilesNotMasked) as caught:
            mask_values({NAME})
        # without the person, it may be as it is
        assert mask_values({"Somebody Else"}) == {}
    finally:
        process.kill()
        process.wait()
    assert str(caught.value) == (
        f"{program}: text file busy\nHINT: Nothing was erased from the warehouse. Let this account"
        " read and write the file, or remove it, then repeat the command."
    )
    assert not [name for name in WRITTEN if NAME in (project / name).read_text()]
    assert mask_values({NAME}) == {program: 1}

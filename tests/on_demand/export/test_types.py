"""Every value arrives exactly, and no lost, changed or moved value passes the check."""

import hashlib
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from psycopg2.extensions import connection as Connection
from pyarrow import parquet

from common.settings import Address
from export import exporting, rows
from export import parquet as module
from export.errors import DamagedExport
from export.exporting import Export, write_export
from export.manifest import PARQUET, ManifestColumn, ManifestTable, sha256_of
from export.parquet import check_rows, write_rows
from export.relations import select_rows
from tests.export.conftest import ITEMS
from warehouse.exports import Run, begin_reading
from warehouse.positions import forget_read_changes

Query = Callable[..., list[tuple]]
VALUES = {
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "boolean": ["t", "f"],
    "real": ["NaN", "Infinity", "-Infinity", "-0", "1e-45", "3.4028235e38", "0.1"],
    "double precision": ["NaN", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "0.1"],
    "numeric(38,10)": ["-9999999999999999999999999999.9999999999", "0", "0.0000000001"],
    "numeric(65,30)": ["-" + "9" * 35 + "." + "9" * 30, "0." + "0" * 29 + "1", "0"],
    "numeric(76,0)": ["-" + "9" * 76, "1"],
    "numeric(3,3)": ["-0.001", "0.999"],
    "numeric(90,2)": ["9" * 88 + ".99"],
    "numeric": ["NaN", "Infinity", "1e-300", "0.10"],
    "numeric(6,2)": ["NaN", "-1234.50"],
    "date": ["0001-01-01", "1582-10-10", "4713-01-01 BC", "5874897-12-31", "1970-01-01"],
    "timestamp": [
        "0044-03-15 00:00:00.000001 BC",
        "1582-10-10 12:00",
        "99999-12-31 23:59:59.999999",
    ],
    "timestamptz": ["1850-01-01 00:00:00.000001+00", "2026-06-01 12:00:00+02", "12026-01-01+00"],
    "timestamp(0)": ["infinity", "-infinity", "2026-01-01"],
    "time": ["00:00", "23:59:59.999999"],
    "time(3)": ["24:00"],
    "timetz": ["23:59:59.999999+14"],
    "interval": ["838:59:59", "1 mon -1 day", "-838:59:59.999999"],
    "bytea": [r"\x", r"\x00ff0a2c22", r"\x5c2e"],
    "text": ["", "NULL", "null", r"\N", r"\.", '"', 'a"b,c\nd\re', " ", "\t", "ø𝄞\u2028", "'"],
    "character(5)": ["a", ""],
    "json": ['{"a": 1.0, "a": "\\u0000"}', "null"],
    "jsonb": ['{"b": 100000000000000000000.10}'],
    "uuid": ["b5d1f0a4-7d5a-4f0e-9c43-9c8f8a3e2f11"],
    "text[]": ["{}", '{NULL,"NULL",""}', "{{1,2},{3,4}}"],
    "int4range": ["empty", "[1,)"],
    "inet": ["::1/64"],
}
"""For each type, the values that something on the way may change."""


def written(connection: Connection, folder: Path) -> ManifestTable:
    with connection.cursor() as cursor:
        selected = select_rows(cursor, ITEMS)
        path = folder / "items.parquet"
        path.unlink(missing_ok=True)
        number, digest = write_rows(cursor, selected, path)
    return ManifestTable(
        *("mrr.items", "rows", "", None, 0, number, digest, path.name),
        *(path.stat().st_size, sha256_of(path)),
        tuple(map(ManifestColumn.of, selected.columns)),
    )


def make(query: Query, declared: str, values: list[str]) -> None:
    query("drop table mrr.items")
    query(f"create table mrr.items (number integer, value {declared})")
    for number, value in enumerate([*values, None]):
        query("insert into mrr.items values (%s, %s)", number, value)


@pytest.mark.parametrize("declared", VALUES)
def test_value_arrives_exactly(
    connection: Connection, query: Query, tmp_path: Path, declared: str
) -> None:
    make(query, declared, VALUES[declared])
    table = written(connection, tmp_path)
    check_rows(tmp_path, table)
    column = parquet.read_table(tmp_path / table.file).column("value")
    assert column.null_count == 1 and column[-1].as_py() is None
    assert len(column) == len(VALUES[declared]) + 1
    texts = [text for (text,) in query("select value::text from mrr.items order by number")]
    if pa.types.is_string(column.type) and not declared.startswith("character"):
        assert column.to_pylist() == texts
    elif pa.types.is_decimal(column.type):
        assert column.to_pylist() == [text and Decimal(text) for text in texts]
        exponents = {value.as_tuple().exponent for value in column.to_pylist()[:-1]}
        assert exponents == {-column.type.scale}
    elif pa.types.is_floating(column.type):
        sent, form = ("float8send", "d") if column.type == pa.float64() else ("float4send", "f")
        bits = query(f"select encode({sent}(value), 'hex') from mrr.items order by number")
        values = [
            value if value is None else struct.pack(f">{form}", value).hex()
            for value in column.to_pylist()
        ]
        assert values == [one for (one,) in bits]
    elif pa.types.is_timestamp(column.type):
        epoch = "extract(epoch from value)::numeric(30, 6)"
        wanted = query(f"select {epoch} from mrr.items order by number")
        assert [one and Decimal(one) / 10**6 for one in column.cast(pa.int64()).to_pylist()] == [
            one for (one,) in wanted
        ]
    elif pa.types.is_date(column.type):
        days = query("select value - date '1970-01-01' from mrr.items order by number")
        assert column.cast(pa.int32()).to_pylist() == [one for (one,) in days]
    elif pa.types.is_binary(column.type):
        assert column.to_pylist() == [text and bytes.fromhex(text[2:]) for text in texts[:-1]] + [
            None
        ]


def test_position_that_is_given_up_meanwhile_is_not_used(
    address: Address,
    connection: Connection,
    query: Query,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exported(name: str) -> ManifestTable:
        wanted = Export([ITEMS], PARQUET, True, tmp_path / name, tmp_path, Run(name, 30))
        return write_export(address, connection, wanted, lambda table, seconds: None).tables[0]

    def loaded_meanwhile(*arguments: object) -> None:
        begin_reading(*arguments)
        query(
            "insert into mrr_state.change_log (table_name, operation, run_id)"
            " values ('items', 'load', 'test')"
        )
        forget_read_changes(connection, set())

    assert exported("first").reason == "it was not exported before"
    assert exported("second").contents == "changes"
    monkeypatch.setattr(exporting, "begin_reading", loaded_meanwhile)
    query("insert into mrr.items values (1, 'loaded')")
    third = exported("third")
    assert (third.contents, third.rows) == ("rows", 1)


def test_char_keeps_its_blanks(connection: Connection, query: Query, tmp_path: Path) -> None:
    make(query, "character(5)", ["a", ""])
    written(connection, tmp_path)
    column = parquet.read_table(tmp_path / "items.parquet").column("value")
    assert column.to_pylist() == ["a    ", "     ", None]


def test_table_of_one_column_keeps_its_nulls(
    connection: Connection, query: Query, tmp_path: Path
) -> None:
    query("drop table mrr.items; create table mrr.items (value text)")
    query("insert into mrr.items values (null), (''), (null), ('a'), (null)")
    check_rows(tmp_path, written(connection, tmp_path))
    found = parquet.read_table(tmp_path / "items.parquet").column("value").to_pylist()
    assert found == [None, "", None, "a", None]


def test_row_that_is_longer_than_a_block_and_many_groups(
    connection: Connection, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 1000)
    monkeypatch.setattr(module, "GROUP_ROWS", 300)
    monkeypatch.setattr(module, "CHECKED_ROWS", 77)
    query(
        "insert into mrr.items select number, case when number % 500 = 0 then repeat('x\n\"', 9000)"
        " when number % 3 <> 0 then 'name ' || number end from generate_series(1, 3000) as number"
    )
    table = written(connection, tmp_path)
    check_rows(tmp_path, table)
    assert table.rows == 3000
    assert parquet.ParquetFile(tmp_path / table.file).num_row_groups > 5


def test_error_while_a_file_is_written_is_not_lost(
    connection: Connection, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: object, _table: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rows, "BLOCK", 1000)
    monkeypatch.setattr("export.parquet._Groups.add", fail)
    query("insert into mrr.items select n, repeat('x', 100) from generate_series(1, 1000) as n")
    with pytest.raises(OSError, match="No space left"):
        written(connection, tmp_path)


def test_planted_corruptions_are_found(
    connection: Connection, query: Query, tmp_path: Path
) -> None:
    """With a checksum that fits the file: it is the text of the rows that does not."""
    query("drop table mrr.items")
    query(
        "create table mrr.items (id int primary key, amount numeric(20,4), at timestamptz,"
        " weight double precision, data bytea, name text, flag boolean, day date)"
    )
    query(
        "insert into mrr.items select n, n / 7.0, timestamptz '2026-01-01' + n * interval '1 us',"
        " n / 3.0, sha256(n::text::bytea), case when n % 4 = 0 then '' else 'n' || n end,"
        " n % 2 = 0, date '2026-01-01' + n from generate_series(1, 200) as n"
    )
    table = written(connection, tmp_path)
    path = tmp_path / table.file
    intact = parquet.read_table(path)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, missed = random.Random(seed), []
    for _ in range(1000):
        spoilt, how = spoil(intact, chance)
        parquet.write_table(spoilt, path)
        try:
            check_rows(tmp_path, replace(table, sha256=sha256_of(path)))
            missed.append(how)
        except DamagedExport:
            pass
    assert missed == []
    parquet.write_table(intact, path)
    check_rows(tmp_path, table)


def spoil(table: pa.Table, chance: random.Random) -> tuple[pa.Table, str]:
    """The table with one value changed, emptied, or exchanged with another one."""
    row, number = chance.randrange(table.num_rows), chance.randrange(table.num_columns)
    field = table.schema.field(number)
    how = chance.choice(["null", "other", "exchanged", "lost", "twice"])
    values = table.column(number).to_pylist()
    if how == "lost":
        return pa.concat_tables([table.slice(0, row), table.slice(row + 1)]), how
    if how == "twice":
        return pa.concat_tables([table.slice(0, row + 1), table.slice(row)]), how
    other = chance.choice([one for one in values if one != values[row]])
    if how == "exchanged":
        place = values.index(other)
        values[place] = values[row]
    values[row] = None if how == "null" else other
    return table.set_column(
        number, field, pa.array(values, field.type)
    ), f"{how} {field.name} {row}"


def test_manifest_with_another_digest_or_columns_is_told(
    connection: Connection, query: Query, tmp_path: Path
) -> None:
    query("insert into mrr.items values (1, 'a')")
    table = written(connection, tmp_path)
    for wrong in (
        replace(table, digest=hashlib.sha256(b"x").hexdigest()),
        replace(table, rows=2),
        replace(table, columns=table.columns[:1]),
    ):
        with pytest.raises(DamagedExport):
            check_rows(tmp_path, wrong)
    (tmp_path / table.file).write_bytes(b"PAR1 no parquet")
    with pytest.raises(DamagedExport, match="cannot be read as Parquet"):
        check_rows(tmp_path, table)

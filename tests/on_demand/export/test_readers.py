"""What other engines find in the files and in the tables: `make engines` installs them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.settings import LOCAL, PROJECT
from export.manifest import ICEBERG, PARQUET, ManifestTable
from tests.on_demand.export.lake import Lake
from tests.on_demand.export.test_types import VALUES

Query = Callable[..., list[tuple]]
Log = Callable[..., int]
ENGINES = LOCAL / "engines"
READ = Path(__file__).with_name("read_by.py")

pytestmark = pytest.mark.skipif(not ENGINES.exists(), reason="`make engines` installs the engines")


def read_by(reader: str, table: ManifestTable, folder: Path) -> dict[str, str]:
    """By column, the digest of the values that a reader finds, or why it does not."""
    columns = [[one.name, one.postgresql, one.parquet] for one in table.columns]
    asked = {
        "reader": reader,
        "file": str(table.path(folder)),
        "metadata": table.metadata,
        "location": table.location,
        "columns": columns,
    }
    done = subprocess.run(
        [sys.executable, str(READ)],
        env={"PYTHONPATH": str(LOCAL.parent)},
        cwd=table.location or folder,
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def blocks_of(page: str) -> list[str]:
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```\n((?:create|delete) .+?)```", text, re.DOTALL)


@pytest.fixture
def duckdb() -> Iterator[Callable[..., list[tuple]]]:
    sys.path.append(str(ENGINES))
    import duckdb

    with duckdb.connect() as connection:
        for extension in ("avro", "iceberg"):
            (path,) = ENGINES.glob(f"duckdb_extension_{extension}/**/*.duckdb_extension")
            connection.execute(f"load '{path}'")
        yield lambda sql: connection.execute(sql).fetchall()
    sys.path.remove(str(ENGINES))


def test_changes_are_applied_in_duckdb_as_the_page_says(
    lake: Lake, query: Query, log: Log, duckdb: Query
) -> None:
    """The files of Parquet by a delete and an insert, the tables of Iceberg by a view."""
    (statements,) = blocks_of("beyond-one-machine.md")
    (view,) = [block for block in blocks_of("exports.md") if "iceberg_scan" in block]
    query("insert into mrr.items select n, 'name ' || n from generate_series(1, 100) as n")
    first = lake.export(form=PARQUET)
    lake.export()
    duckdb(f"create table customers as from '{first.path(lake.folder / 'run1')}'")
    for step in range(3):
        query(f"delete from mrr.items where id % 7 = {step}")
        query(f"update mrr.items set name = nullif(name || 'x', 'name 50x') where id % 5 = {step}")
        query(f"insert into mrr.items values ({1000 + step}, '')")
        for (key,) in query(f"select n from generate_series(1, 999) as n where n % 7 = {step}"):
            log("delete", key)
        for (key,) in query(f"select id from mrr.items where id % 5 = {step}"):
            log("update", key)
        log("insert", 1000 + step)
        changes = lake.export(form=PARQUET)
        path = changes.path(lake.folder / f"run{lake.number}")
        duckdb(statements.replace("changes/mrr.mrr_dim_customers.parquet", str(path)))
        table = lake.export()
        assert (changes.contents, table.contents) == ("changes", "changes")
        duckdb(
            re.sub(r"'file:[^']+'", f"'{table.metadata}'", view).replace(
                "view customers", "or replace view present"
            )
        )
        mirror = query("select id, name from mrr.items order by id")
        for found in ("customers", "present"):
            assert duckdb(f"select id, name from {found} order by id") == mirror


NOT_EXACT = {
    ("pyiceberg", ICEBERG): {},
    ("duckdb", PARQUET): {"numeric(65,30)": "overflow", "numeric(76,0)": "overflow"},
    ("duckdb", ICEBERG): {},
    ("clickhouse", PARQUET): {"date": "out of allowed Date32 range"},
    ("clickhouse", ICEBERG): {"date": "out of allowed Date32 range", "time": "another value"},
}
"""For an engine, the types of whose values in VALUES it does not find every one, and why."""


@pytest.mark.parametrize("form", [PARQUET, ICEBERG])
def test_engines_find_every_value_but_those_that_the_page_names(
    lake: Lake, query: Query, form: str
) -> None:
    names = {f"c{number}": declared for number, declared in enumerate(VALUES)}
    query("drop table mrr.items")
    listed = ", ".join(f"{name} {declared}" for name, declared in names.items())
    query(f"create table mrr.items (id integer primary key, {listed})")
    for row in range(max(map(len, VALUES.values())) + 1):
        values = [one[row] if row < len(one) else None for one in VALUES.values()]
        query(f"insert into mrr.items values ({row}{', %s' * len(values)})", *values)
    table = lake.export(changes=False, form=form)
    folder = lake.folder / f"run{lake.number}"
    own = read_by("pyarrow", table, folder)
    assert not [found for found in own.values() if len(found) != 64]
    for reader in (name for name, read in NOT_EXACT if read == form):
        found = read_by(reader, table, folder)
        others = {names[column]: value for column, value in found.items() if value != own[column]}
        expected = NOT_EXACT[reader, form]
        assert set(others) == set(expected), others
        for declared, why in expected.items():
            assert why in others[declared] or why == "another value", others

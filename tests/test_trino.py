"""The examples for Trino: each statement is parsed, and what it names exists. Trino is not run."""

import re

import pytest
import sqlglot
from sqlglot import exp

from common.settings import DBT_PROJECT, PROJECT, SETTINGS
from extract.declarations import declared_tables

PAGE = PROJECT / "docs" / "beyond-one-machine.md"
CATALOGS = {path.stem: path for path in (PROJECT / "docs" / "trino").glob("*.properties")}
STATEMENTS = [
    statement
    for block in re.findall(r"```sql\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for statement in sqlglot.parse(block, dialect="trino")
    if statement
]
CONNECTORS = {
    "operational": "mysql",
    "warehouse": "postgresql",
    "exports": "iceberg",
    "lake": "iceberg",
}


def known_tables() -> set[str]:
    tables = declared_tables()
    models = DBT_PROJECT / "models" / "dwh"
    return (
        {f"operational.{table.source_table}" for table in tables}
        | {
            f"{catalog}.mrr.{table.name}"
            for table in tables
            for catalog in ("warehouse", "exports")
        }
        | {f"warehouse.dwh.{path.stem}" for path in models.rglob("*.sql")}
    )


def test_page_has_statements() -> None:
    assert len(STATEMENTS) >= 5


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one.sql()[:40])
def test_tables_of_an_example_exist(statement: exp.Expression) -> None:
    known = known_tables()
    for table in statement.find_all(exp.Table):
        name = f"{table.catalog}.{table.db}.{table.name}"
        assert table.catalog in CATALOGS, name
        assert table.catalog == "lake" or name in known, name


def test_catalogs_have_a_connector_and_no_secret() -> None:
    assert set(CATALOGS) == set(CONNECTORS)
    for name, path in CATALOGS.items():
        lines = [
            line.partition("=")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")
        ]
        properties = {key: value for key, _, value in lines}
        assert properties["connector.name"] == CONNECTORS[name]
        for key, value in properties.items():
            if key.endswith(("password", "user", "-key")):
                assert re.fullmatch(r"\$\{ENV:\w+\}", value), key


def test_variables_of_the_catalogs_are_settings() -> None:
    for name in ("operational", "warehouse"):
        text = CATALOGS[name].read_text(encoding="utf-8")
        assert set(re.findall(r"\$\{ENV:(\w+)\}", text)) <= set(SETTINGS)


def test_catalog_of_exports_is_the_one_that_exports_write() -> None:
    text = CATALOGS["exports"].read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{ENV:(\w+)\}", text))
    assert named - set(SETTINGS) == {"EXPORTS_CATALOG_USER", "EXPORTS_CATALOG_PASSWORD"}
    source = (PROJECT / "export" / "iceberg_catalog.py").read_text(encoding="utf-8")
    for name, line in (
        ("NAME", "iceberg.jdbc-catalog.catalog-name={}\n"),
        ("SCHEMA", "?currentSchema={}&"),
        ("URI", "default-warehouse-dir={}$"),
    ):
        (value,) = re.findall(rf'^{name} = "(.+)"$', source, re.MULTILINE)
        assert line.format(value) in text, name

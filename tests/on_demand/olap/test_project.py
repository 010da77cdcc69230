"""The marts of `olap_project`: what ClickHouse says, and what PostgreSQL says, row by row."""

import json
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

import embedded
from common.settings import PROJECT, Address, settings_of
from embedded.clickhouse import EXTRA
from operational.connection import connection as operational_connection
from operational.seed import seed
from operational.simulate import simulate
from publishing.client import Client
from tests.support.command_line import DEMO, CommandLine
from tests.support.servers import TEST_SERVERS
from warehouse.connection import connect

if not (EXTRA / "chdb").is_dir():
    pytest.exit("the engine of ClickHouse is missing: make olap", returncode=2)

DOMAINS = ("ecommerce", "ewallet", "sales")
MODELS = sorted(path.stem for path in (PROJECT / "olap_project" / "models").rglob("*.sql"))
MARTS = [name for name in MODELS if name.startswith("dwh_mart_")]
SUMS = "dwh_sums_ewallet_daily_user_amounts"
NUMBERS = {"smallint", "integer", "bigint", "numeric"}
FIRST_MONTH = """
    {verb} where transaction_time < (
        select last_day(first_at) + interval 1 day
        from (
            select min(transaction_time) as first_at
            from ewallet.transactions
            where status = 'SUCCESS'
        ) as first_one
    )"""
Row = tuple[object, ...]


@dataclass(frozen=True)
class Marts:
    """A project whose runs publish, and the marts on both sides."""

    command_line: CommandLine
    servers: embedded.Servers
    warehouse: Address
    clickhouse: Address

    def run(self) -> None:
        """A run, which publishes as its last step, and a build of the marts of ClickHouse."""
        done = self.command_line.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.dbt("build").count("OK created sql") == len(MODELS)

    def dbt(self, *arguments: str, **environment: str) -> str:
        """The output of dbt in olap_project, with what `env` prints, as `make olap-build`."""
        python = Path(sys.executable)
        done = self.command_line.shell(
            f'eval "$({python} run.py env)" && export {self._exports(environment)} && '
            f"{python.parent}/dbt {' '.join(arguments)} --project-dir olap_project"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _exports(self, environment: dict[str, str]) -> str:
        values = {"PYTHONPATH": str(EXTRA), **environment}
        return " ".join(f"{name}={value}" for name, value in values.items())

    def compare(self) -> dict[str, int]:
        """See that each mart has the same rows on both sides; returns how many."""
        found = {}
        with closing(connect(self.warehouse)) as connection, Client(self.clickhouse) as client:
            for mart in MARTS:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "select column_name, data_type from information_schema.columns"
                        " where table_schema = 'dwh' and table_name = %s order by ordinal_position",
                        (mart,),
                    )
                    columns = cursor.fetchall()
                    texts = ", ".join(f"{name}::text" for name, _ in columns)
                    cursor.execute(f"select {texts} from dwh.{mart}")
                    ours = self.counted(cursor.fetchall(), [kind for _, kind in columns])
                database = f"{self.clickhouse.database}_marts"
                names = client.rows(
                    "select name from system.columns"
                    f" where database = '{database}' and table = '{mart}' order by position"
                )
                assert [name for (name,) in names] == [name for name, _ in columns], mart
                texts = ", ".join(f"toString({name})" for name, _ in columns)
                theirs = self.counted(
                    client.rows(f"select {texts} from {database}.{mart}"),
                    [kind for _, kind in columns],
                )
                assert ours == theirs, f"{mart}: {list((ours - theirs) + (theirs - ours))[:4]}"
                found[mart] = ours.total()
        return found

    def parts(self) -> dict[str, str]:
        """The parts of each month of the sums that are built by months."""
        with Client(self.clickhouse) as client:
            found = client.rows(
                "select partition_id, arrayStringConcat(arraySort(groupArray(name)))"
                f" from system.parts where active and table = '{SUMS}'"
                f" and database = '{self.clickhouse.database}_marts' group by partition_id"
            )
        return {str(month): str(parts) for month, parts in found}

    @staticmethod
    def counted(rows: list[Row] | list[list[object]], kinds: list[str]) -> Counter[Row]:
        """How often each row is there; numbers by their value."""
        return Counter(
            tuple(
                Decimal(str(value)) if kind in NUMBERS and value is not None else value
                for value, kind in zip(row, kinds, strict=True)
            )
            for row in rows
        )

    def change(self, statement: str) -> int:
        """Change rows of the operational server; returns how many."""
        with (
            operational_connection(self.servers.operational_root) as root,
            root.cursor() as cursor,
        ):
            changed = cursor.execute(statement)
            root.commit()
            return changed


@pytest.fixture
def marts(
    servers: embedded.Servers, warehouse: Address, command_line: CommandLine
) -> Iterator[Marts]:
    """All domains of the demo after some life, with a database of ClickHouse of the test's own."""
    address = embedded.start_clickhouse(TEST_SERVERS)
    address = replace(address, database=f"test_{secrets.token_hex(4)}")
    command_line.environment |= settings_of("CLICKHOUSE", address)
    command_line.environment["DEMO_DOMAINS"] = ",".join(DOMAINS)
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        for domain in DOMAINS:
            cursor.execute(f"drop database if exists {domain}")
        seed(servers, DOMAINS)
        for domain in DOMAINS:
            simulate(servers, 300, 7, domain)
        yield Marts(command_line, servers, warehouse, address)
        for domain in DOMAINS:
            cursor.execute(f"drop database {domain}")
        seed(servers, [DEMO])
    with Client(embedded.start_clickhouse(TEST_SERVERS)) as client:
        for database in (address.database, f"{address.database}_marts"):
            client.execute(f"drop database if exists {database} sync")


def test_every_mart_says_what_postgresql_says(marts: Marts) -> None:
    marts.run()
    before, first = marts.compare(), marts.parts()
    assert all(before.values()), before
    # again, nothing is there twice, and no month is made again
    marts.run()
    assert marts.compare() == before
    assert marts.parts() == first
    for domain in DOMAINS:
        simulate(marts.servers, 300, 8, domain)
    marts.run()
    assert marts.compare() != before


def test_month_is_built_again_if_its_rows_change_and_dropped_with_them(marts: Marts) -> None:
    marts.run()
    first = marts.parts()
    assert marts.change(FIRST_MONTH.format(verb="update ewallet.transactions set amount = 7.01"))
    marts.run()
    marts.compare()
    second = marts.parts()
    changed = [month for month in first if first[month] != second[month]]
    assert changed == [min(first)] and len(first) > 1
    assert marts.change(FIRST_MONTH.format(verb="delete from ewallet.transactions"))
    marts.run()
    marts.compare()
    del second[changed[0]]
    assert marts.parts() == second


def test_cluster_gets_replicated_tables_on_all_shards(marts: Marts) -> None:
    told = marts.dbt(
        *("ls", "--quiet", "--resource-type", "model", "--output", "json"),
        *("--output-keys", "'name config'"),
        CLICKHOUSE_CLUSTER="nodes",
    )
    kinds: Counter[str] = Counter()
    for line in told.splitlines():
        config = json.loads(line)["config"]
        kinds[config["materialized"]] += 1
        assert config["engine"] == "ReplicatedMergeTree"
        assert config.get("incremental_strategy") in (None, "insert_overwrite")
    assert kinds == {"distributed_table": 9, "distributed_incremental": 1, "view": 1}

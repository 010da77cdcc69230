"""The e-wallet through all layers, by `run.py` as a user starts it: one warehouse, many runs."""

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded
from dashboard.words import share
from tests.ewallet.conftest import Ask
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.leaks import check_analyst
from tests.support.power_bi import check_metrics, manifest_of, model_of, problems
from tests.support.servers import Query, new_warehouse, querying
from tests.support.waiting import wait_for

CASE = Path(__file__).with_name("transactions_expected.csv")
FACT = "dwh.dwh_fact_ewallet_transactions"
ROWS = f"select * from {FACT} order by transaction_id"
PLACES = f"select transaction_id, tableoid, ctid::text, xmin::text from {FACT} order by 1"
NEW = "insert into transactions values (%s, %s, %s, %s, %s, %s, default)"
SEED = "dbt_project/seeds/ewallet/stg_seed_ewallet_amount_categories.csv"
FACT_MODEL = ("run", "--select", "dwh_fact_ewallet_transactions")


class Ewallet:
    """The application, run.py of a copy of the project, and the warehouse that it builds."""

    def __init__(self, application: Ask, command_line: CommandLine, query: Query) -> None:
        self.application, self.command_line, self.query = application, command_line, query

    def run(self, *arguments: str) -> str:
        done = self.command_line.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def dbt(self, *arguments: str) -> None:
        done = self.command_line.dbt(*arguments)
        assert done.returncode == 0, done.stdout

    def transactions(self) -> set[str]:
        return {key for (key,) in self.query(f"select transaction_id from {FACT}")}

    def successful(self) -> set[str]:
        found = self.application("select transaction_id from transactions where status = 'SUCCESS'")
        return {key for (key,) in found}


@pytest.fixture(scope="module")
def ewallet(
    servers: embedded.Servers,
    application_of_module: Ask,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ewallet]:
    """As the first run has left it."""
    folder = copy_of_project(tmp_path_factory.mktemp("ewallet") / "project")
    with new_warehouse(servers) as address, querying(address) as query:
        command_line = CommandLine(folder, servers.operational, address)
        command_line.environment["DEMO_DOMAINS"] = "ewallet"
        made = Ewallet(application_of_module, command_line, query)
        made.run()
        yield made


def test_first_run_brings_the_case_to_the_row(ewallet: Ewallet) -> None:
    with CASE.open(encoding="utf-8", newline="") as file:
        case = list(csv.DictReader(file))
    found = {
        key: (user, str(amount), category)
        for key, user, amount, category in ewallet.query(
            f"select transaction_id, user_id, transaction_amount, amount_category from {FACT}"
        )
    }
    loaded = [row for row in case if row["in_fact_table"] == "yes"]
    assert [row["transaction_id"] for row in loaded] == ["TX1001", "TX1003", "TX1008"]
    for row in case:
        expected = (int(row["user_id"]), row["amount"], row["amount_category"])
        assert found.get(row["transaction_id"]) == (expected if row in loaded else None)
    assert len(found) == 12
    assert set(found) == ewallet.successful()
    partitions = f"select distinct tableoid::regclass::text from {FACT} order by 1"
    assert ewallet.query(partitions) == [
        (f"{FACT}__{month}",) for month in ("2025_11", "2025_12", "2026_01", "2026_02")
    ]


def test_power_bi_finds_its_tables_and_the_metrics_over_the_star(ewallet: Ewallet) -> None:
    manifest = manifest_of(ewallet.command_line)
    model = model_of(manifest)
    assert {"E-wallet transactions", "E-wallet users", "E-wallet merchants"} < set(model.tables)
    assert problems(ewallet.query, model) == []
    assert check_metrics(ewallet.query, manifest) > 5


def test_analyses_have_the_order_that_their_descriptions_name(ewallet: Ewallet) -> None:
    assert [
        (f"{day}", name, f"{amount}")
        for day, name, amount in ewallet.query(
            "select transaction_date, user_name, transaction_amount"
            " from dwh.dwh_mart_ewallet_daily_user_amounts"
            " where transaction_date >= '2026-01-31' order by transaction_date, user_name"
        )
    ] == [
        ("2026-01-31", "Citra Dewi", "0.01"),
        ("2026-02-01", "Dimas Pratama", "35000.00"),
        ("2026-02-14", "Ayu Lestari", "63000.00"),
    ]
    assert ewallet.query(
        "select merchant_name, merchant_category, transaction_count"
        " from dwh.dwh_mart_ewallet_merchant_transactions"
        " order by transaction_count desc, merchant_name"
    ) == [
        ("Warung Sederhana", "Food", 5),
        ("Pasar Segar", "Groceries", 3),
        ("Angkasa Travel", "Travel", 2),
        ("Toko Elektronik Jaya", "Electronics", 2),
    ]


def test_dashboard_tells_the_success_rate_and_names_no_user(ewallet: Ewallet) -> None:
    html = (ewallet.command_line.folder / "out" / "dashboard.html").read_text(encoding="utf-8")
    html = html.replace("\u00a0", " ")
    ((successful, every),) = ewallet.application(
        "select sum(status = 'SUCCESS'), count(*) from transactions where amount >= 0"
    )
    assert 0 < successful < every
    rate = re.search(r">Success rate</dt>\s*<dd>([^<]+)", html)
    assert rate and rate[1] == share(float(successful / every))
    failures = ewallet.application(
        "select min(name) from transactions join merchants using (merchant_id) where amount >= 0"
        " group by merchant_id order by sum(status = 'SUCCESS') / count(*), min(name) limit 1"
    )
    assert f"Success rate: lowest for {failures[0][0]}, " in html
    for title in (r"\w+ Value: [\d.]+ % of amount", r"Warung Sederhana|Pasar Segar|Angkasa Travel"):
        assert re.search(rf"<h3[^>]*>(?:{title})", html)
    users = ewallet.application("select name from users")
    assert len(users) > 3
    assert not [name for (name,) in users if name in html]


def test_three_more_transactions_are_exactly_three_more_rows_and_the_next_run_none(
    ewallet: Ewallet,
) -> None:
    before = ewallet.query(PLACES)
    for key, day in (("TX2001", "2026-02-15"), ("TX2002", "2026-03-01"), ("TX2003", "2026-03-02")):
        ewallet.application(NEW, key, 6, 5, "100000.00", "SUCCESS", f"{day} 10:00:00")
    assert " 3 rows applied" in ewallet.run()
    after = ewallet.query(PLACES)
    assert set(before) < set(after)
    assert {key for key, *_ in set(after) - set(before)} == {"TX2001", "TX2002", "TX2003"}
    assert len(after) == len(before) + 3
    assert " 0 rows applied" in ewallet.run()
    assert ewallet.query(PLACES) == after


def test_killed_run_that_is_repeated_doubles_nothing(ewallet: Ewallet) -> None:
    marks = "select table_name, high_water_mark from dwh.high_water_mark order by 1"
    known = ewallet.query(marks)
    ewallet.application(NEW, "TX3001", 1, 1, "1.00", "SUCCESS", "2026-04-01 10:00:00")
    killed = subprocess.Popen(
        [sys.executable, str(ewallet.command_line.folder / "run.py")],
        env=ewallet.command_line.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(
        lambda: "TX3001" in ewallet.transactions() or killed.poll() is not None,
        "the fact has the transaction, or the run ended",
    )
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert ewallet.query(marks) == known
    left = ewallet.query(PLACES)
    ewallet.run()
    assert ewallet.query(PLACES) == left
    assert ewallet.transactions() == ewallet.successful()
    assert ewallet.query(marks) != known


def test_transaction_enters_and_leaves_with_its_status_and_moves_with_its_day(
    ewallet: Ewallet,
) -> None:
    before = {key: rest for key, *rest in ewallet.query(PLACES)}
    for key, change in {
        "TX1002": "status = 'SUCCESS'",
        "TX1010": "status = 'FAILED'",
        "TX1001": "status = 'FAILED'",
        "TX1003": "transaction_time = '2025-10-09 08:07:06'",
        "TX1008": "amount = 10",
    }.items():
        ewallet.application(f"update transactions set {change} where transaction_id = %s", key)
    ewallet.application("delete from transactions where transaction_id = 'TX1004'")
    ewallet.run()
    after = {key: rest for key, *rest in ewallet.query(PLACES)}
    assert set(after) - set(before) == {"TX1002"}
    assert set(before) - set(after) == {"TX1001"}
    changed = {key for key in set(before) & set(after) if before[key] != after[key]}
    assert changed == {"TX1003", "TX1008"}
    assert ewallet.query(f"select transaction_id from {FACT}__2025_10") == [("TX1003",)]


@pytest.mark.slow
def test_edited_bounds_reach_every_transaction_and_a_full_refresh_equals_the_increments(
    ewallet: Ewallet,
) -> None:
    categories = f"select transaction_id, amount_category from {FACT}"
    before = dict(ewallet.query(categories))
    assert before["TX0991"] == "Low Value"
    assert before["TX1012"] == "Low Value"
    bounds = ewallet.command_line.folder / SEED
    bounds.write_text(bounds.read_text().replace("50000,", "49999.99,"))
    ewallet.application("update merchants set name = 'Kopi Sore' where merchant_id = 5")
    ewallet.run()
    after = dict(ewallet.query(categories))
    assert {key for key in before if before[key] != after[key]} == {"TX0991"}
    assert after["TX0991"] == "Medium Value"
    incremental, places = ewallet.query(ROWS), ewallet.query(PLACES)
    ewallet.run("--full-refresh")
    assert ewallet.query(PLACES) == places
    ewallet.dbt(*FACT_MODEL, "--full-refresh")
    assert ewallet.query(ROWS) == incremental
    assert ewallet.query(PLACES) == places


@pytest.mark.slow
def test_retention_follows_the_recipe_and_the_next_runs_bring_nothing_back(
    ewallet: Ewallet,
) -> None:
    """docs/increments.md, Partitions."""
    old = ewallet.query(
        f"select inhrelid::regclass::text from pg_inherits where inhparent = '{FACT}'::regclass"
        " and inhrelid::regclass::text ~ '__2025_..$'"
    )
    kept = ewallet.transactions()
    detached = set()
    project = ewallet.command_line.folder / "dbt_project" / "dbt_project.yml"
    text = project.read_text()
    assert 'ewallet_kept_from: "2020-01-01"' in text
    project.write_text(text.replace('kept_from: "2020-01-01"', 'kept_from: "2026-01-01"'))
    for (partition,) in old:
        detached |= {key for (key,) in ewallet.query(f"select transaction_id from {partition}")}
        ewallet.query(f"alter table {FACT} detach partition {partition} concurrently")
    assert detached >= {"TX0991", "TX0992", "TX0993"}
    ewallet.application("update transactions set amount = 7 where transaction_id = 'TX0992'")
    ewallet.run()
    assert ewallet.transactions() == kept - detached
    ewallet.dbt(*FACT_MODEL, "--full-refresh")
    assert ewallet.transactions() == kept - detached
    ewallet.dbt("test", "--select", "group:ewallet", "path:tests/ewallet")


def test_analyst_reads_no_personal_value(ewallet: Ewallet, servers: embedded.Servers) -> None:
    """The last one: afterwards, the warehouse has the accounts of roles."""
    check_analyst(ewallet.command_line, servers, "ewallet")

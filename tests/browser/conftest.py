"""The demo in its own warehouse, its dashboard and its documentation, and a browser."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

import embedded
from operational.connection import connection as operational_connection
from operational.seed import seed
from operational.simulate import add_history, simulate
from tests.browser.chromium import chromium
from tests.browser.documents import Document
from tests.support.command_line import DEMO, CommandLine, copy_of_project
from tests.support.servers import new_warehouse, querying

DOMAINS = ("ecommerce", "ewallet", "media", "sales")
ORDERS, OPERATIONS, SEED = 2000, 300, 7
NAMELESS = "insert into sales.customers (name, country) values ('', 'Spain')"
"""A row that `stg` rejects."""
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 2
BAD_DAYS = (
    "update dwh.high_water_mark set read_at = now() - interval '30 hours'"
    " where table_name like 'mrr_fact%'",
    "update dwh.mirror_verification set is_equal = false, late_rows = 1234567"
    " where table_name = 'mrr_dim_products'",
    "insert into dwh.run_log (run_id, process, step, status, started_at, error_message)"
    f" values ('r1', 'run', 'run', 'error', now(), '{LONG}'),"
    f" ('r1', 'extract', 'mrr_fact_sales', 'refused', now(), '{LONG}')",
    f"update dwh.dwh_dim_customers set country = '{LONG}' where country = 'USA'",
    "update dwh.dwh_fact_sales set sale_quantity = -sale_quantity * 1000000"
    " where sale_quantity > 5",
)
"""What makes every warning and the longest words appear."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=program.path, env={**os.environ, **program.variables}
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def lived(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """The project after two runs, between which the applications of the demo have written."""
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        for domain in DOMAINS:
            cursor.execute(f"drop database if exists {domain}")
        seed(servers, DOMAINS)
        add_history(servers, ORDERS, SEED, "ecommerce")
        with new_warehouse(servers) as address:
            folder = copy_of_project(tmp_path_factory.mktemp("browser") / "project")
            made = CommandLine(folder, servers.operational, address)
            made.environment["DEMO_DOMAINS"] = ",".join(DOMAINS)
            run(made)
            for domain in ("ewallet", "sales"):
                simulate(servers, OPERATIONS, SEED, domain)
            cursor.execute(NAMELESS)
            root.commit()
            run(made)
            yield made
        for domain in set(DOMAINS) - {DEMO}:
            cursor.execute(f"drop database {domain}")
        seed(servers, [DEMO])


def run(command_line: CommandLine, *arguments: str) -> str:
    done = command_line.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_dbt(command_line: CommandLine, *arguments: str) -> None:
    done = command_line.dbt(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def dashboards(lived: CommandLine) -> dict[str, Path]:
    """The dashboard as the last run wrote it, and one of bad days."""
    written = lived.folder / "out" / "dashboard.html"
    bad = written.with_name("bad_days.html")
    _, address = lived.addresses
    with querying(address) as query:
        for statement in BAD_DAYS:
            query(statement)
    run(lived, "dashboard", "--output", str(bad))
    return {"of a run": written, "of bad days": bad}


@pytest.fixture
def opened(browser: Browser, dashboards: dict[str, Path]) -> Callable[[str], Document]:
    """Opens a dashboard by its name."""
    return lambda name: Document(browser, dashboards[name])

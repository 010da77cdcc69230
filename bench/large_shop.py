"""The cost of a run on a large shop, node by node: first everything, then a few changes.

python -m bench.large_shop --rows 10000000 --changes 3000

The shop has `--rows` sales, one customer for each hundred of them, and a thousand products. It
sells every nine seconds: ten million times in nearly three years. At the end, dbt builds everything
by hand, and the dashboard is written alone.
"""

import argparse
from pathlib import Path

from bench.laboratory import Laboratory, laboratory
from bench.machine import machine
from bench.project_copy import ProjectCopy
from bench.shapes import ROWS_PER_INSERT
from bench.timeline import Run
from common.settings import LOCAL
from embedded import create_database
from warehouse.connection import connect

SHOP = Path(__file__).resolve().parent.parent / "operational" / "sales" / "schema.sql"
OLD = "'2021-01-01' + interval seq * 9 second"
PRODUCTS = 1_000
SALES_PER_CUSTOMER = 100
MEGABYTE = 1024 * 1024


def make_shop(lab: Laboratory, sales: int) -> None:
    """Create customers, products and sales, stamped long ago; they are kept for the next time."""
    create_database(lab.servers, "sales")
    customers = sales // SALES_PER_CUSTOMER
    if _has_shop(lab, sales):
        return
    lab.execute("use sales")
    lab.execute("drop table if exists sales, customers, products")
    for statement in SHOP.read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            lab.execute(statement)
    for table, rows, values in (
        ("customers", customers, "concat('customer ', seq), concat('country ', seq % 50)"),
        ("products", PRODUCTS, "concat('product ', seq), concat('group ', seq % 20)"),
        ("sales", sales, f"1 + seq % {customers}, 1 + seq % {PRODUCTS}, 1 + seq % 20"),
    ):
        for start in range(1, rows + 1, ROWS_PER_INSERT):
            end = min(start + ROWS_PER_INSERT - 1, rows)
            lab.execute(
                f"insert into {table} select seq, {values}, {OLD}, {OLD} from seq_{start}_to_{end}"
            )
        lab.execute(f"analyze table {table}")


def _has_shop(lab: Laboratory, sales: int) -> bool:
    found = lab.execute(
        "select table_rows from information_schema.tables"
        " where table_schema = 'sales' and table_name = 'sales'"
    )
    return bool(found) and lab.execute("select count(*) from sales.sales") == [(sales,)]


def change_shop(lab: Laboratory, changes: int) -> None:
    """Insert, update and delete sales, a third each, and update a tenth as many customers."""
    third = changes // 3
    (rows, highest), *_ = lab.execute("select count(*), max(id) from sales.sales")
    step = rows // third
    keys = f"select seq * {step} - {step} + 7 as id from seq_1_to_{third}"
    lab.execute(f"update sales.sales join ({keys}) as some using (id) set qty = qty + 1")
    lab.execute(
        f"delete sales.sales from sales.sales join ({keys}) as some on sales.id = some.id + 1"
    )
    lab.execute(
        "insert into sales.sales (id, customerId, productId, qty)"
        f" select {highest} + seq, 1 + seq, 1 + seq % {PRODUCTS}, 2 from seq_1_to_{third}"
    )
    lab.execute(
        "update sales.customers set name = concat(name, '!')"
        f" where id in (select seq * 7 from seq_1_to_{max(third // 10, 1)})"
    )


def nodes_of_last_run(lab: Laboratory) -> list[tuple[str, str, float, int | None]]:
    """Process, step, seconds and rows of each step of the last run, the longest first."""
    connection = connect(lab.warehouse)
    with connection.cursor() as cursor:
        cursor.execute(
            "select process, step, execution_seconds::float, rows_affected from dwh.run_log"
            " where run_id = (select run_id from dwh.run_log order by log_id desc limit 1)"
            " order by execution_seconds desc nulls last"
        )
        found = cursor.fetchall()
    connection.close()
    return found


def report(name: str, run: Run, lab: Laboratory, least_seconds: float) -> None:
    cost = run.cost
    print(
        f"\n{name}: {cost.seconds:.1f} s, {cost.peak_bytes / MEGABYTE:.0f} MB at most,"
        f" {cost.cpu:.1f} s of CPU, servers {cost.server_cpu}, others {cost.other_cpu:.1f}\n"
    )
    print("| what | step | seconds | rows |\n| --- | --- | ---: | ---: |")
    for process, step, seconds, rows in nodes_of_last_run(lab):
        if seconds is not None and seconds >= least_seconds:
            print(f"| {process} | {step} | {seconds:.2f} | {'' if rows is None else rows} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many sales")
    parser.add_argument("--changes", type=int, default=3_000)
    parser.add_argument("--least", type=float, default=0.1, help="seconds of a step that is shown")
    options = parser.parse_args()
    print(machine())
    with laboratory(LOCAL / "bench-shop") as lab:
        make_shop(lab, options.rows)
        copied = ProjectCopy(lab, LOCAL / "bench-project", "sales")
        report("first run", copied.run(), lab, options.least)
        change_shop(lab, options.changes)
        report(f"{options.changes} changes", copied.run(), lab, options.least)
        report("the same once more", copied.run(), lab, options.least)
        report("dbt build --full-refresh", copied.build_whole(), lab, options.least)
        cost = copied.run("dashboard").cost
        size = copied.file("out/dashboard.html").stat().st_size / 1024
        print(
            f"\nthe dashboard: {cost.seconds:.1f} s, {size:.0f} KB of HTML,"
            f" {cost.peak_bytes / MEGABYTE:.0f} MB at most, servers {cost.server_cpu}"
        )


if __name__ == "__main__":
    main()

"""Tidemark as three DAGs: the tables up to `stg`, then `dwh`, and test data for the demo.

Which domains and tables there are is asked of the project. `TIDEMARK_SCHEDULE` is when the first
one starts, as in a crontab; `TIDEMARK_TASKS` is `table` (a task for each table) or `domain` (one
for all tables of a domain, which then show one moment of the source).
"""

import os
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

from airflow.sdk import DAG, Asset, Param, TaskGroup
from tidemark_runs import TidemarkRun, declared_tables, recorded, recorded_run

SCHEDULE = os.environ.get("TIDEMARK_SCHEDULE") or "*/15 * * * *"
TASKS = os.environ.get("TIDEMARK_TASKS") or "table"
if TASKS not in ("table", "domain"):
    raise ValueError(f'TIDEMARK_TASKS: "{TASKS}" is neither table nor domain')

DOMAINS = declared_tables()
STAGED = {
    domain: Asset(f"tidemark_stg_{domain}", uri=f"tidemark://stg/{domain}") for domain in DOMAINS
}
"""The domains in `stg`, as the assets that a run of the first DAG updates."""

EVERY_DAG: dict[str, Any] = {
    "catchup": False,
    # no run begins before the one before it has ended, and no task beside another: runs that read
    # the same source exclude each other
    "max_active_runs": 1,
    "max_active_tasks": 1,
    "on_success_callback": recorded_run("success"),
    "on_failure_callback": recorded_run("error"),
    "default_args": {
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "on_success_callback": recorded("success"),
        "on_failure_callback": recorded("error"),
        "on_retry_callback": recorded("error"),
        "on_skipped_callback": recorded("skipped"),
    },
    "tags": ["tidemark"],
}

with DAG(
    "tidemark_stg",
    description="operational → mrr → stg",
    schedule=SCHEDULE,
    doc_md="Reads each table and compares it with its source, then builds `stg` of its domain.",
    **EVERY_DAG,
):
    for domain, tables in DOMAINS.items():
        with TaskGroup(domain):
            if TASKS == "table":
                reads = [
                    TidemarkRun(task_id=table, arguments=["--table", table, "--until", "mrr"])
                    for table in tables
                ]
            else:
                reads = [
                    TidemarkRun(task_id="mrr", arguments=["--domain", domain, "--until", "mrr"])
                ]
            reads >> TidemarkRun(
                task_id="stg",
                arguments=["--domain", domain, "--from", "stg", "--until", "stg"],
                goes_on=True,
                outlets=[STAGED[domain]],
            )

with DAG(
    "tidemark_dwh",
    description="stg → dwh",
    schedule=reduce(or_, STAGED.values()),
    doc_md="Builds `dwh` of the domains whose `stg` is new; of all, if it is triggered by hand.",
    **EVERY_DAG,
):
    for domain, asset in STAGED.items():
        TidemarkRun(task_id=domain, arguments=["--domain", domain, "--from", "stg"], asset=asset)

with DAG(
    "tidemark_simulate",
    description="test data for the demo",
    schedule=None,
    doc_md="Writes to the embedded operational server, and to no other.",
    params={
        "domain": Param("sales", enum=sorted({*DOMAINS, "sales"}), description="where to write"),
        "operations": Param(100, type="integer", minimum=1, description="how many transactions"),
    },
    **EVERY_DAG,
):
    TidemarkRun(
        task_id="simulate",
        arguments=[
            "simulate",
            "--domain",
            "{{ params.domain }}",
            "--operations",
            "{{ params.operations }}",
        ],
    )

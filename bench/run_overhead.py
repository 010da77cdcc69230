"""The cost of a run by what has changed, part by part, and of `--help` and `status`.

python -m bench.run_overhead --repeat 5 --tables 10

A copy of the project runs on servers of its own, on the sample data of all domains; then more
tables are added. The exit code is 1 if the median of a command exceeds what the project promises,
or if its ratio to that of another does.
"""

import argparse
import statistics
import sys
from dataclasses import asdict

from bench.laboratory import Laboratory, laboratory
from bench.machine import machine
from bench.project_copy import ProjectCopy
from bench.results import save
from bench.shapes import STAMP
from bench.timeline import Run
from common.settings import LOCAL
from operational.seed import seed

HELP, STATUS, RUN = "run.py --help", "run.py status", "run.py, nothing changed"
CHANGED, ALL, VERSION = "run.py, one row changed", "run.py --build all", "dbt --version"
AFTER = "run.py, nothing changed, a row in a window"
LIMITS = {HELP: 0.3, STATUS: 1.0}
"""The seconds that a command may take, as the project promises."""
RATIOS = ((RUN, VERSION, 1.0), (CHANGED, ALL, 0.6))
"""How many times as long as another command a command may take."""
MEGABYTE = 1024 * 1024
SAMPLE = "'sales', 'ewallet', 'ecommerce', 'media'"
"""The databases of the sample."""


def age_sample(lab: Laboratory) -> None:
    """Set old stamps in the sample, so that no window reaches back to its rows."""
    stamped = lab.execute(
        "select table_schema, table_name from information_schema.columns"
        f" where column_name = '{STAMP.name}' and table_schema in ({SAMPLE})"
    )
    for schema, table in stamped:
        lab.execute(f"update {schema}.{table} set {STAMP.name} = '2021-01-01'")


def change_a_row(lab: Laboratory) -> None:
    lab.execute("update sales.sales set qty = qty + 1, updated_at = now() where id = 1")


def median_of(runs: list[Run]) -> float:
    return statistics.median(run.cost.seconds for run in runs)


def measure(lab: Laboratory, repeat: int, tables: int) -> dict[str, list[Run]]:
    """The runs of each command, by name."""
    seed(lab.servers)
    age_sample(lab)
    copied = ProjectCopy(lab, LOCAL / "bench-project")
    copied.run()
    copied.run()
    measured = {
        HELP: [copied.run("--help") for _ in range(repeat)],
        STATUS: [copied.run("status") for _ in range(repeat)],
        **{name: [] for name in (VERSION, RUN, CHANGED, AFTER, ALL)},
    }
    for _ in range(repeat):
        measured[VERSION].append(copied.dbt("--version"))
        measured[RUN].append(copied.run())
        change_a_row(lab)
        measured[CHANGED].append(copied.run())
        measured[AFTER].append(copied.run())
        # the row is outside the next window again
        age_sample(lab)
        copied.run()
        measured[ALL].append(copied.run("--build", "all"))
    copied.add_tables(tables)
    copied.run()
    copied.run()
    measured[f"run.py, nothing changed, {tables} more tables"] = [
        copied.run() for _ in range(repeat)
    ]
    return measured


HEAD = (
    "| what | seconds | at least and at most | promised | peak MB | CPU s: its own | MariaDB |"
    " PostgreSQL | others |\n| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def line(name: str, runs: list[Run]) -> str:
    """A row of the table: the cost of a command."""
    costs = [run.cost for run in runs]
    times = sorted(cost.seconds for cost in costs)
    cells = [
        name,
        f"{median_of(runs):.2f}",
        f"{times[0]:.2f} to {times[-1]:.2f}",
        str(LIMITS.get(name, "")),
        f"{max(cost.peak_bytes for cost in costs) / MEGABYTE:.0f}",
        f"{statistics.median(cost.cpu for cost in costs):.2f}",
        *(
            f"{statistics.median(cost.server_cpu[server] for cost in costs):.2f}"
            for server in costs[0].server_cpu
        ),
        f"{statistics.median(cost.other_cpu for cost in costs):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def over_limit(measured: dict[str, list[Run]]) -> list[str]:
    """The commands that take longer than promised."""
    return [
        f"{name}: {median_of(measured[name]):.2f} s, promised are {limit} s"
        for name, limit in LIMITS.items()
        if median_of(measured[name]) > limit
    ] + [
        f"{name}: {median_of(measured[name]) / median_of(measured[other]):.2f} of {other},"
        f" promised are {limit}"
        for name, other, limit in RATIOS
        if median_of(measured[name]) > limit * median_of(measured[other])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tables", type=int, default=10, help="how many more are mirrored")
    options = parser.parse_args()
    where = machine()
    with laboratory() as lab:
        servers = lab.versions()
        measured = measure(lab, options.repeat, options.tables)
    print(f"median of {options.repeat}; {where}; {servers}\n")
    print(HEAD)
    for name, runs in measured.items():
        print(line(name, runs))
    print("\n| part of a run that builds everything | seconds |\n| --- | ---: |")
    parts = [run.parts() for run in measured[ALL]]
    for name in parts[0]:
        print(f"| {name} | {statistics.median(each.get(name, 0.0) for each in parts):.2f} |")
    extract = statistics.median(run.extract_seconds() for run in measured[ALL])
    print(f"| beside it: the extract of all tables | {extract:.2f} |")
    extract = statistics.median(run.extract_seconds() for run in measured[RUN])
    print(f"\nIn a run in which nothing changed, the extract of all tables takes {extract:.2f} s.")
    costs = {name: [asdict(run.cost) for run in runs] for name, runs in measured.items()}
    facts = {"machine": where, "servers": servers, "costs": costs, "parts": parts}
    save("run_overhead", facts)
    too_slow = over_limit(measured)
    for sentence in too_slow:
        print(sentence, file=sys.stderr)
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())

"""Every metric of the demo, asked by MetricFlow and by our own SQL, after some life at the source.

`make test-metrics` installs MetricFlow beside the project.
"""

import csv
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import embedded
from common.quoting import quoted
from common.settings import LOCAL
from dashboard.metrics import metrics_of
from operational.connection import connection as operational_connection
from operational.seed import seed
from operational.simulate import simulate
from tests.support.command_line import DEMO, CommandLine

METRICFLOW = LOCAL / "metricflow" / "bin" / "mf"
DOMAINS = ("ecommerce", "ewallet", "sales")
EVER = {"since": None, "until": None}
Answer = dict[tuple[str, ...], float]


def by_metricflow(
    command_line: CommandLine, metrics: list[str], group: str | None, file: Path
) -> dict[str, Answer]:
    """The values of each metric by the group, whose texts are as a CSV file has them."""
    asked = [str(METRICFLOW), "query", "--metrics", ",".join(metrics), "--csv", str(file)]
    done = subprocess.run(
        asked + (["--group-by", group] if group else []),
        cwd=command_line.folder / "dbt_project",
        env=command_line.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {
        name: {
            (without_time(row[group]),) if group else (): float(row[name])
            for row in rows
            if row[name]
        }
        for name in metrics
    }


def without_time(text: str) -> str:
    """A day without its time; any other text as it is."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)[T ][\d:.]+$", r"\1", text)


@pytest.fixture
def lived(servers: embedded.Servers, command_line: CommandLine) -> Iterator[CommandLine]:
    """The project after a run, when the applications of all domains have written."""
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        for domain in DOMAINS:
            cursor.execute(f"drop database if exists {domain}")
        seed(servers, DOMAINS)
        for domain in DOMAINS:
            simulate(servers, 500, 7, domain)
        command_line.environment["DEMO_DOMAINS"] = ",".join(DOMAINS)
        done = command_line.run()
        assert done.returncode == 0, done.stdout + done.stderr
        yield command_line
        for domain in DOMAINS:
            cursor.execute(f"drop database {domain}")
        seed(servers, [DEMO])


def test_metricflow_and_the_dashboard_say_the_same(
    lived: CommandLine, query: Callable[..., list[tuple]], tmp_path: Path
) -> None:
    written = (lived.folder / "dbt_project" / "target" / "manifest.json").read_text("utf-8")
    manifest: dict[str, Any] = json.loads(written)
    metrics = metrics_of(manifest)
    compared = 0
    for model in manifest["semantic_models"].values():
        placed, entity = model["node_relation"], model["primary_entity"]
        relation = quoted(placed["schema_name"], placed["alias"])
        names = [name for name, metric in metrics.items() if metric.relation == relation]
        assert names, model["name"]
        groups: dict[str | None, dict[str, Any]] = {
            None: {},
            "metric_time__month": {"grain": "month"},
            **{f"{entity}__{name}": {"by": [name]} for name in metrics[names[0]].dimensions},
        }
        for group, how in groups.items():
            file = tmp_path / f"{model['name']}_{group}.csv"
            expected = by_metricflow(lived, names, group, file)
            for name in names:
                found = {
                    tuple(map(str, keys)): pytest.approx(float(value), rel=1e-9)
                    for *keys, value in query(metrics[name].query(**how), EVER)
                    if value is not None
                }
                assert expected[name] == found, (name, group)
                compared += len(found)
    print(f"{compared} values of {len(metrics)} metrics")
    assert compared > 200

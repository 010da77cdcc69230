"""Writes the dashboard: one file that needs no server, no script and nothing from outside."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg2.extensions import connection as Connection

from common.errors import TidemarkError
from dashboard.figures import PERIODS, views_of
from dashboard.marts import Marts
from dashboard.metrics import metrics_of
from dashboard.pages import pages_of
from dashboard.trust import trust
from dashboard.words import moment
from warehouse.connection import relation_exists

TEMPLATES = Path(__file__).parent / "templates"
SETTINGS = {"work_mem": "128MB", "parallel_tuple_cost": "0.01"}
"""PostgreSQL's, for few queries that group many rows: in memory, and by all of its workers."""


class DashboardError(TidemarkError):
    """The dashboard cannot be made."""


def write_dashboard(connection: Connection, manifest_file: Path, file: Path) -> Path:
    """Make the dashboard of a warehouse, and replace the file with it; returns the file.

    `manifest_file` is the manifest.json of dbt. Raises DashboardError, MetricError and PageError.
    """
    now = datetime.now(UTC)
    # all of it at one moment
    with connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        for name, value in SETTINGS.items():
            cursor.execute("select set_config(%s, %s, true)", (name, value))
        if not relation_exists(cursor, "dwh.dwh_operations_mirror_state"):
            raise DashboardError("dashboard", "nothing is built yet", "Start with `python run.py`.")
        manifest = _read(manifest_file)
        pages = pages_of(manifest, metrics_of(manifest))
        marts = Marts(cursor)
        shown = [(page, views_of(page, marts)) for page in pages]
        truth = trust(cursor, manifest, now)
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # a line does not end between a number and its percent sign
    templates.filters["unbroken"] = lambda text: text.replace(" %", "\u00a0%")
    content = templates.get_template("dashboard.html").render(
        made_at=moment(now),
        style=(TEMPLATES / "dashboard.css").read_text(encoding="utf-8"),
        periods=PERIODS,
        pages=shown,
        trust=truth,
    )
    _replace(file, content)
    return file


def _read(file: Path) -> Mapping[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DashboardError(
            str(file), f"cannot be read ({why})", "Let dbt write it with `dbt parse`."
        ) from None
    return manifest


def _replace(file: Path, content: str) -> None:
    """Write the file so that a reader sees either the one before or the new one."""
    beside = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(content, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise DashboardError(
            str(file),
            f"cannot be written ({error.strerror})",
            "Choose another place with --output.",
        ) from None

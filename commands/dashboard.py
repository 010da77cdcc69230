"""`dashboard`: write the dashboard, a file that opens in any browser."""

import argparse
from contextlib import closing
from pathlib import Path

from commands.endpoints import prepare_endpoints
from common.errors import ExitCode
from common.settings import DBT_PROJECT, PROJECT, Address, read_settings
from dashboard.writing import write_dashboard
from warehouse.connection import connect
from warehouse.parsing import target_folder

EXAMPLES = """\
python run.py dashboard
python run.py dashboard --output /srv/reports/dashboard.html"""

OUTPUT = PROJECT / "out" / "dashboard.html"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="where to write it; out/dashboard.html if unset"
    )


def call(options: argparse.Namespace) -> int:
    warehouse = prepare_endpoints(read_settings(), sources=()).transformer
    print(dashboard(warehouse, options.output or OUTPUT))
    return ExitCode.DONE


def dashboard(warehouse: Address, file: Path = OUTPUT) -> Path:
    """Write the dashboard of a warehouse, by the manifest that dbt wrote last; returns the file.

    Raises ServerError, DashboardError, MetricError and PageError.
    """
    with closing(connect(warehouse)) as connection:
        return write_dashboard(connection, target_folder(DBT_PROJECT) / "manifest.json", file)

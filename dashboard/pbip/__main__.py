"""`python -m dashboard.pbip`: write a Power BI project of the domains that there are."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import ExitCode, TidemarkError
from common.settings import DBT_PROJECT, PROJECT, Address, read_settings
from dashboard.pbip.errors import PowerBiError
from dashboard.pbip.project import of_domains, project_files, write_project
from warehouse.build import dbt_environment

OUTPUT = PROJECT / "out" / "powerbi"
NOWHERE = Address("127.0.0.1", 1, "nobody", "nothing", "none")
"""dbt wants an address to parse the project, and does not call there."""


def parsed_manifest(demo_switch: str) -> Mapping[str, Any]:
    """What dbt makes of the project as it is now. Raises PowerBiError.

    `demo_switch` is the setting DEMO_DOMAINS.
    """
    dbt = str(Path(sys.executable).with_name("dbt"))
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [dbt, "--quiet", "parse", "--target-path", folder, "--log-path", folder],
            cwd=DBT_PROJECT,
            env={**os.environ, **dbt_environment(NOWHERE, demo_switch)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PowerBiError("dbt", done.stdout.strip(), "`dbt parse` shows the same.")
        written = (Path(folder) / "manifest.json").read_text(encoding="utf-8")
    manifest: Mapping[str, Any] = json.loads(written)
    return manifest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboard.pbip", description=__doc__)
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", default=OUTPUT, help="default: out/powerbi"
    )
    parser.add_argument(
        "--domain", action="append", metavar="NAME", help="only this one; repeatable; default: all"
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="manifest.json; default: dbt parses"
    )
    options = parser.parse_args()
    try:
        manifest = (
            json.loads(options.manifest.read_text(encoding="utf-8"))
            if options.manifest
            else parsed_manifest(read_settings().demo_switch)
        )
        if options.domain:
            manifest = of_domains(manifest, options.domain)
        files = project_files(manifest)
    except TidemarkError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    write_project(files, options.output)
    sys.stdout.write(f"{options.output}\n")
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())

"""The Power BI project as a whole: its files from a manifest of dbt, and where they are written."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from common.settings import DBT_PROJECT
from dashboard.pbip.declared import TableDetails, declared_domains
from dashboard.pbip.errors import PowerBiError
from dashboard.pbip.measures import Metrics, measures_of
from dashboard.pbip.names import identifier
from dashboard.pbip.pages import Fields, report_pages
from dashboard.pbip.pbir import report_files, schema, written
from dashboard.pbip.star import KIND, Star, star_of
from dashboard.pbip.tmdl import model_files

NAME = "Tidemark"
ALWAYS = ("common", "operations")
"""The domains that every project has."""
MODEL, REPORT = f"{NAME}.SemanticModel", f"{NAME}.Report"
GRANTS, ROLE = "grants.sql", "power_bi"
THEME = Path(__file__).with_name("theme.json")


def project_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Every file of the project by its path, with its content.

    Raises PowerBiError, MetricError and PageError.
    """
    present = {node["fqn"][2] for node in manifest["nodes"].values() if KIND.match(node["name"])}
    domains = declared_domains(present)
    metrics = Metrics(manifest, domains)
    details: dict[str, TableDetails] = {}
    for domain in domains.values():
        details |= domain.tables
    star = star_of(manifest, metrics.marts(), details)
    measures = measures_of(metrics, star, domains, _variables())
    pages = report_pages(manifest, metrics, Fields(star, measures), domains)
    if not pages:
        raise PowerBiError("Power BI", "there is no page", "docs/dashboard.md says how to add one.")
    files = _frame() | {GRANTS: _grants(star)}
    files |= {f"{MODEL}/definition/{path}": text for path, text in model_files(star, measures)}
    theme = THEME.read_text(encoding="utf-8")
    return files | {f"{REPORT}/{path}": text for path, text in report_files(pages, theme)}


def of_domains(manifest: Mapping[str, Any], domains: Collection[str]) -> dict[str, Any]:
    """The manifest as it is where other domains are switched off."""
    kinds, kept = ("nodes", "metrics", "semantic_models", "exposures"), {*domains, *ALWAYS}
    return {
        kind: {key: node for key, node in manifest[kind].items() if node["fqn"][2] in kept}
        for kind in kinds
    }


def write_project(files: Mapping[str, str], folder: Path) -> None:
    """Write the files, in place of those of a former generation; others are left alone.

    Among these is `.pbi`, where Power BI Desktop keeps the data that it has loaded.
    """
    for part in (f"{MODEL}/definition", f"{REPORT}/definition", f"{REPORT}/StaticResources"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _variables() -> Mapping[str, Any]:
    """The variables of the dbt project, by which metrics count."""
    project = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    variables: Mapping[str, Any] = project["vars"]
    return variables


def _grants(star: Star) -> str:
    """What lets a role read the model's columns, and no name or address of a person."""
    lines = [
        "-- What Power BI reads, column by column; `make powerbi` writes this file anew.",
        *(f"grant usage on schema {one} to {ROLE};" for one in _schemas(star)),
        *(
            f"grant select ({', '.join(column.source for column in table.columns)})"
            f"\n    on {table.schema}.{table.relation} to {ROLE};"
            for table in star.tables.values()
        ),
    ]
    return "\n".join(lines) + "\n"


def _schemas(star: Star) -> list[str]:
    return sorted({table.schema for table in star.tables.values()})


def _frame() -> dict[str, str]:
    """The files that hold model and report together."""
    model = schema("item/semanticModel/definitionProperties/1.0.0")
    report = schema("item/report/definitionProperties/2.0.0")
    return {
        f"{NAME}.pbip": written(
            schema("pbip/pbipProperties/1.0.0")
            | {
                "version": "1.0",
                "artifacts": [{"report": {"path": REPORT}}],
                "settings": {"enableAutoRecovery": True},
            }
        ),
        f"{MODEL}/definition.pbism": written(model | {"version": "4.2", "settings": {}}),
        f"{MODEL}/.platform": written(_platform("SemanticModel")),
        f"{REPORT}/definition.pbir": written(
            report | {"version": "4.0", "datasetReference": {"byPath": {"path": f"../{MODEL}"}}}
        ),
        f"{REPORT}/.platform": written(_platform("Report")),
    }


def _platform(kind: str) -> dict[str, Any]:
    return schema("gitIntegration/platformProperties/2.0.0") | {
        "metadata": {"type": kind, "displayName": NAME},
        "config": {"version": "2.0", "logicalId": identifier("item", kind)},
    }

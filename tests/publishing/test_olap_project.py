"""What `olap_project` must share with `dbt_project`: the published tables, marts and variables.

What its models say is compared by `tests/on_demand/olap/test_project.py`.
"""

import re
from typing import Any

import yaml

from common.settings import DBT_PROJECT, PROJECT
from extract.declarations.project_file import demo_domains
from publishing.declared import declared_publications

OLAP_PROJECT = PROJECT / "olap_project"
MODELS = sorted((OLAP_PROJECT / "models").rglob("*.sql"))
SOURCE = re.compile(r"source\('(\w+)', '(\w+)'\)")


def content_of(project: str) -> dict[str, Any]:
    text = (PROJECT / project / "dbt_project.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def described(kind: str) -> list[dict[str, Any]]:
    found = []
    for path in sorted((OLAP_PROJECT / "models").rglob("*.yml")):
        found += yaml.safe_load(path.read_text(encoding="utf-8")).get(kind, [])
    return found


def test_variables_are_those_of_the_main_project() -> None:
    ours, theirs = content_of("olap_project")["vars"], content_of("dbt_project")["vars"]
    assert ours == {name: theirs[name] for name in ours}


def test_mart_is_one_of_the_main_project_and_described() -> None:
    marts = [path for path in MODELS if path.stem.startswith("dwh_mart_")]
    assert marts
    for path in marts:
        assert (DBT_PROJECT / "models" / "dwh" / path.parent.name / path.name).exists(), path.name
    models = described("models")
    assert sorted(model["name"] for model in models) == sorted(path.stem for path in MODELS)
    assert all(model["description"] for model in models)


def test_source_is_published_and_read() -> None:
    published = {(one.domain, one.name) for one in declared_publications()}
    declared = {
        (source["name"], table["name"])
        for source in described("sources")
        for table in source["tables"]
    }
    read = {found for path in MODELS for found in SOURCE.findall(path.read_text(encoding="utf-8"))}
    assert read == declared
    assert declared <= published


def test_domain_of_the_demo_can_be_switched_off() -> None:
    content, domains = content_of("olap_project"), {path.parent.name for path in MODELS}
    assert domains <= demo_domains()
    for kind in ("models", "sources"):
        switched = content[kind]["tidemark_olap"]
        assert {name for name in switched if not name.startswith("+")} == domains
        assert all(
            f"'{name}' in (env_var('DEMO_DOMAINS'" in switched[name]["+enabled"] for name in domains
        )

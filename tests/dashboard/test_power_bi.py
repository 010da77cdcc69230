"""The generator of the Power BI project, from what dbt makes of the project as it is."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dashboard.metrics import metrics_of
from dashboard.pbip import declared
from dashboard.pbip.__main__ import parsed_manifest
from dashboard.pbip.dax import references
from dashboard.pbip.errors import PowerBiError
from dashboard.pbip.pages import _name
from dashboard.pbip.project import of_domains, project_files, write_project
from dashboard.pbip.star import looks_personal
from dashboard.pbip.types import power_bi_type
from tests.support import tmdl

DEMO = ("ecommerce", "ewallet", "sales")
COMMON = declared.FOLDER / "common.yml"
ITEMS = "dwh_fact_ecommerce_order_items"


@pytest.fixture(scope="module")
def manifest() -> Mapping[str, Any]:
    """Of the demo, without the domains of whoever runs the tests."""
    return of_domains(parsed_manifest(""), DEMO)


@pytest.fixture(scope="module")
def generated(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return project_files(manifest)


@pytest.fixture
def edited(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest, for a test that changes it."""
    return deepcopy(dict(manifest))


def test_committed_project_is_what_would_be_generated_now(generated: Mapping[str, str]) -> None:
    committed = tmdl.committed()
    told = "`make powerbi` writes it anew"
    assert sorted(committed) == sorted(generated), told
    differing = {path for path, text in generated.items() if committed[path] != text}
    assert not differing, told


def test_every_metric_is_a_measure(
    manifest: Mapping[str, Any], generated: Mapping[str, str]
) -> None:
    text = "\n".join(generated.values())
    for metric in metrics_of(manifest).values():
        assert re.search(rf"^\tmeasure '?{re.escape(metric.label)}'? =$", text, re.MULTILINE)


@pytest.mark.parametrize("domain", [*DEMO, "operations"])
def test_exposure_has_the_tables_and_metrics_of_its_domain(
    manifest: Mapping[str, Any], generated: Mapping[str, str], domain: str
) -> None:
    """So that lineage in dbt ends where the data are looked at."""
    exposure = manifest["exposures"][f"exposure.tidemark.{domain}_power_bi"]
    written = "\n".join(generated.values())
    read = set(re.findall(r'Item = "(\w+)"', written))
    asked = set(re.findall(r"The metric `(\w+)` of dbt\.", written))
    nodes = {node["name"]: node for node in manifest["nodes"].values() if node["name"] in read}
    domains = {domain, "common"} if domain in DEMO else {domain}
    # a mart is read for its metrics
    expected = {
        node["unique_id"]
        for name, node in nodes.items()
        if node["fqn"][2] in domains and "_mart_" not in name
    }
    metrics = {
        key
        for key, node in manifest["metrics"].items()
        if node["fqn"][2] == domain and node["name"] in asked
    }
    assert set(exposure["depends_on"]["nodes"]) == expected | metrics


@pytest.mark.parametrize("domain", DEMO)
def test_tables_of_a_domain_are_the_same_without_the_others(
    manifest: Mapping[str, Any], generated: Mapping[str, str], domain: str
) -> None:
    """The warehouses that tests build have one domain each; together they hold every table."""
    tables = {
        path: text
        for path, text in project_files(of_domains(manifest, [domain])).items()
        if "/tables/" in path
    }
    assert tables.items() <= generated.items()
    of_domain = {node["name"] for node in of_domains(manifest, [domain])["nodes"].values()}
    read = {
        re.findall(r'Item = "(\w+)"', text)[0]
        for path, text in generated.items()
        if "/tables/" in path
    }
    assert len(tables) == len(read & of_domain)


def test_domains_that_are_switched_off_leave_nothing_behind(manifest: Mapping[str, Any]) -> None:
    files = project_files(of_domains(manifest, ["sales"]))
    assert not [path for path in files if "hop" in path or "wallet" in path or "ecommerce" in path]
    assert "Tidemark.Report/definition/pages/sales/page.json" in files
    alone = project_files(of_domains(manifest, []))
    assert [path for path in alone if path.endswith("page.json")] == [
        "Tidemark.Report/definition/pages/operations/page.json"
    ]
    assert not [path for path in alone if "Dates" in path]


def test_domain_of_ones_own_is_in_the_model_without_a_declaration(
    edited: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "common.yml").write_text(COMMON.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(declared, "FOLDER", tmp_path)
    files = project_files(of_domains(edited, ["sales"]))
    sales = files["Tidemark.SemanticModel/definition/tables/Sales.tmdl"]
    assert "sourceColumn: sale_quantity" in sales
    # no declaration says how the fact has the metrics, so that they are computed from their mart
    mart = files["Tidemark.SemanticModel/definition/tables/Daily sales.tmdl"]
    assert "SUM('Daily sales'[Sale quantity])" in mart
    relationships = files["Tidemark.SemanticModel/definition/relationships.tmdl"]
    assert (
        "fromColumn: 'Daily sales'.'Sold date'\n\ttoColumn: Dates.'Calendar date'" in relationships
    )
    assert "Tidemark.Report/definition/pages/sales/page.json" in files


def test_metric_and_chart_that_power_bi_cannot_compute_are_left_out(
    edited: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "common.yml").write_text(COMMON.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(declared, "FOLDER", tmp_path)
    edited = of_domains(edited, ["sales"])
    model = edited["semantic_models"]["semantic_model.tidemark.daily_sales"]
    for measure in model["measures"]:
        if measure["name"] == "sale_count":
            measure["expr"] = "case when sale_count > 1 then sale_count end"
    for dimension in model["dimensions"]:
        if dimension["name"] == "country":
            dimension["expr"] = "upper(country)"
            dimension["name"] = "COUNTRY"
    exposure = edited["exposures"]["exposure.tidemark.sales_dashboard"]
    for chart in exposure["config"]["meta"]["page"]["charts"]:
        if chart.get("by") == "country":
            chart["by"] = "COUNTRY"
    text = "\n".join(project_files(edited).values())
    # a ratio whose denominator is left out is left out too
    for label in ("Sales", "Share of large sales"):
        assert f"measure '{label}'" not in text and f"measure {label} " not in text
    assert "measure 'Pieces sold' =" in text
    assert "Pieces sold by product group" in text and "Pieces sold by COUNTRY" not in text


def columns_of(manifest: dict[str, Any], relation: str) -> dict[str, Any]:
    columns: dict[str, Any] = manifest["nodes"][f"model.tidemark.{relation}"]["columns"]
    return columns


def test_renamed_column_keeps_the_project_from_being_generated(edited: dict[str, Any]) -> None:
    columns = columns_of(edited, ITEMS)
    columns["amount_in_eur"] = columns.pop("item_amount_eur") | {"name": "amount_in_eur"}
    with pytest.raises(PowerBiError, match=f"dwh.{ITEMS}: it has no column item_amount_eur"):
        project_files(edited)


def test_new_column_is_read_unless_it_tells_of_a_person(edited: dict[str, Any]) -> None:
    columns = columns_of(edited, "dwh_dim_ecommerce_customers")
    like = columns["country_code"]
    for name in ("segment", "birth_date", "nickname", "shoe_size", "shop_name", "habits"):
        columns[name] = deepcopy(like) | {"name": name}
    columns["nickname"]["config"]["meta"] = {"personal": True}
    columns["habits"]["tags"] = ["personal"]
    columns["shop_name"]["data_type"] = "bytea"
    text = project_files(edited)["Tidemark.SemanticModel/definition/tables/Shop customers.tmdl"]
    assert "sourceColumn: segment" in text and "sourceColumn: shoe_size" in text
    for name in ("birth_date", "nickname", "shop_name", "habits"):
        assert name not in text


def test_second_date_of_a_fact_is_joined_and_not_active(edited: dict[str, Any]) -> None:
    tests = [
        node
        for node in edited["nodes"].values()
        if node.get("column_name") == "ordered_date_key" and node["attached_node"].endswith(ITEMS)
    ]
    (test,) = [node for node in tests if node["test_metadata"]["name"] == "relationships"]
    columns = columns_of(edited, ITEMS)
    columns["paid_date_key"] = columns["ordered_date_key"] | {"name": "paid_date_key"}
    edited["nodes"]["test.second"] = test | {"column_name": "paid_date_key"}
    text = project_files(edited)["Tidemark.SemanticModel/definition/relationships.tmdl"]
    (block,) = [one for one in text.split("relationship ") if "'Paid date key'" in one]
    assert "\tisActive: false\n" in block
    assert text.count("isActive") == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[Pieces sold], [Sales])", "[Pieces], [Sales])", "it names [Pieces]"),
        ("('Sales'[Customer ID])", "('Sales'[Customer])", "it names 'Sales'[Customer]"),
        ("VAR AUntil", "VAR Products", "it names VAR Products"),
        ("NOBLANK('Sales'[", "NOBLANK(Sales[", "it names Sales[Customer ID]"),
        ("name: Pieces per sale", "name: Sale quantity", "its name is taken"),
        ("name: Pieces per sale", "name: active customers", "its name is taken"),
        ("same_as:\n", "same_as:\n  no_metric: sales_count\n", "metric no_metric: dbt has no such"),
        ("  sales_count: {", "  sale_count: {", "metric sale_count: dbt has no such metric"),
        ("metric: sales_quantity, day", "metric: sales, day", "metric sales: dbt has no such"),
        ("table: dwh_fact_sales\n", "table: dwh_mart_daily_sales\n", "is not in the model"),
        ("aggregate: sum", "aggregate: median", "its aggregate is not understood"),
        ("    format: 0.0%", "    formatted: 0.0%", "it is not understood"),
        ("numbers: [Active customers", "numbers: [Customers", "there is no such measure"),
        ("\"'Customers'[Country]\"", "\"'Customers'[Land]\"", "there is no such column"),
    ],
)
def test_wrong_declaration_is_told(
    manifest: Mapping[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    problem: str,
) -> None:
    for file in declared.FOLDER.glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        if file.stem == "sales":
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(declared, "FOLDER", tmp_path)
    with pytest.raises(PowerBiError) as caught:
        project_files(manifest)
    assert problem in str(caught.value)
    assert "\nHINT: " in str(caught.value)


def charts_of(edited: dict[str, Any], exposure: str) -> list[dict[str, Any]]:
    page = edited["exposures"][f"exposure.tidemark.{exposure}"]["config"]["meta"]["page"]
    charts: list[dict[str, Any]] = page["charts"]
    return charts


def test_chart_that_would_overwrite_another_is_told(edited: dict[str, Any]) -> None:
    # the metric is the same in the star, and so is the column
    charts_of(edited, "sales_dashboard").append({"metric": "sales_quantity", "by": "country"})
    with pytest.raises(PowerBiError) as caught:
        project_files(edited)
    assert str(caught.value) == (
        "page Sales, Pieces sold by country: is there twice\n"
        "HINT: Two charts of a metric by the same column are one; leave one of them out."
    )


def test_long_titles_that_begin_alike_have_files_of_their_own() -> None:
    title = "Share of customers who came back within ninety days by {}"
    names = {_name(title.format(by)) for by in ("category", "country", "a/b", "größe")}
    assert len(names) == 4
    assert all(len(name) <= 50 and re.fullmatch(r"\w+", name) for name in names)
    assert re.fullmatch(r"\w+", _name("?!"))


def test_lowest_come_first_where_the_dashboard_has_them_first(
    generated: Mapping[str, str],
) -> None:
    (lowest,) = (text for path, text in generated.items() if "success_rate_by_merchant" in path)
    (highest,) = (text for path, text in generated.items() if "amount_by_merchant" in path)
    assert '"direction": "Ascending"' in lowest
    assert '"direction": "Descending"' in highest


def test_choice_that_does_not_reach_a_measure_is_told(generated: Mapping[str, str]) -> None:
    text = "\n".join(generated.values())
    assert "Success rate is not by Merchant category." in text
    assert "Products that run short by supplier name (not by Calendar year and" in text


SPELLINGS = (
    "firstName dateOfBirth shippingAddress DOB fname vorname nachname emailaddress tel mobile_no"
    " dob birthday card_number credit_card passport_no ssn tax_id ip client_ip ip_address"
    " user_agent lat longitude plz strasse address_line_1 nationality licence_number device_id"
)
"""Other spellings, words written together, and other languages."""


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "surname",
        "given_name",
        "user_name",
        "e_mail",
        "emails",
        "telephone",
        "phone_no",
        "street_name",
        "iban",
        "passport",
        "comments",
        "gender",
        "date_of_birth",
        "zip_code",
        *SPELLINGS.split(),
    ],
)
def test_column_that_may_tell_of_a_person_is_left_out(name: str) -> None:
    assert looks_personal(name)


@pytest.mark.parametrize(
    "name",
    ["product_name", "merchant_name", "country", "amount", "stage", "plat", "tip", "card_count"],
)
def test_column_of_things_is_read(name: str) -> None:
    assert not looks_personal(name)


def test_references_of_dax_are_found() -> None:
    found = references(
        """
        VAR Name = "it's [no] 'table'"  // [neither]
        RETURN SUMX(FILTER('A b', [@x] > 0 && 'A b'[C d] = Name), [Measure one]) + T[C]
        """
    )
    assert found.columns == {("A b", "C d")}
    assert found.tables == {"A b"}
    assert found.measures == {"Measure one"}
    assert found.unquoted == {"T[C]"}
    assert found.variables == {"Name"}


@pytest.mark.parametrize(
    ("data_type", "model"),
    [
        ("bigint", "int64"),
        ("numeric(18, 2)", "decimal"),
        ("numeric(18,6)", "double"),
        ("numeric", "double"),
        ("TEXT", "string"),
        ("timestamp with time zone", "dateTime"),
        ("jsonb", None),
        ("integer[]", None),
    ],
)
def test_type_of_postgresql_has_its_type_in_power_bi(data_type: str, model: str | None) -> None:
    found = power_bi_type(data_type)
    assert (found.model if found else None) == model


def test_project_replaces_the_one_before_and_leaves_the_rest(tmp_path: Path) -> None:
    report = tmp_path / "Tidemark.Report"
    kept, stale = report / ".pbi" / "cache.abf", report / "definition" / "stale.json"
    for file in (kept, stale):
        file.parent.mkdir(parents=True)
        file.touch()
    write_project({"Tidemark.Report/definition/b.json": "{}\n"}, tmp_path)
    assert kept.exists() and not stale.exists()
    assert (report / "definition" / "b.json").read_text("utf-8") == "{}\n"

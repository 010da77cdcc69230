"""The Power BI project as it is committed: what dbt says now, and nothing that is not there."""

import re
from itertools import pairwise
from uuid import UUID

import pytest

from dashboard.pbip.dax import TEXT, references
from tests.support import tmdl
from tests.support.tmdl import FOLDER, MODEL, REPORT

TABLES = tmdl.tables()
RELATIONSHIPS = tmdl.relationships()
PAGES = tmdl.pages()
COLUMNS = {(name, column) for name, table in TABLES.items() for column in table.columns}
MEASURES = {(name, measure) for name, table in TABLES.items() for measure in table.measures}
TEXTS = {FOLDER / path: text for path, text in tmdl.committed().items()}
FUNCTIONS = {
    *("ADDCOLUMNS", "ALLSELECTED", "AVERAGE", "CALCULATE", "CALCULATETABLE", "COUNT", "COUNTROWS"),
    *("DISTINCTCOUNTNOBLANK", "DIVIDE", "EDATE", "EOMONTH", "FILTER", "IF", "ISBLANK"),
    *("KEEPFILTERS", "MAX", "MIN", "MINX", "NOT", "REMOVEFILTERS", "SAMEPERIODLASTYEAR"),
    *("SELECTEDVALUE", "SUM", "SUMX", "SWITCH", "TRUE", "VALUES"),
}
OF_PEOPLE = {
    *("customer_name", "user_name", "first_name", "last_name", "email", "phone_number", "age"),
    *("city", "postal_code", "review_text"),
}


def test_dax_names_what_is_in_the_model() -> None:
    expressions = {one: TABLES[one[0]].measures[one[1]] for one in MEASURES}
    expressions |= {one: TABLES[one[0]].columns[one[1]]["expression"] for one in COLUMNS}
    named = 0
    for subject, code in expressions.items():
        found = references(code)
        assert found.columns <= COLUMNS, subject
        assert found.tables <= set(TABLES), subject
        assert found.measures <= {name for _, name in MEASURES}, subject
        assert not found.unquoted, subject
        named += len(found.columns) + len(found.measures)
    assert named > len(MEASURES)


def test_dax_calls_functions_that_there_are() -> None:
    """No engine reads it here, but a misspelled name or a missing bracket is found."""
    called = set()
    for table in TABLES.values():
        computed = [one["expression"] for one in table.columns.values()]
        for code in (*table.measures.values(), *computed):
            bare = TEXT.sub("", re.sub(r"'[^']+'|\[[^\]]+\]", "", code))
            called |= set(re.findall(r"(\w+)\(", bare))
            for opening, closing in ("()", "{}"):
                assert bare.count(opening) == bare.count(closing), code
            assert len(re.findall(r"\bVAR\b", bare)) >= len(re.findall(r"\bRETURN\b", bare))
            assert not re.search(r"\bVAR\b", bare) or "RETURN" in bare, code
    assert called <= FUNCTIONS


def test_field_of_a_visual_is_in_the_model() -> None:
    found = {field for page in PAGES.values() for field in tmdl.fields(page["visuals"])}
    assert {(table, name) for kind, table, name in found if kind == "Column"} <= COLUMNS
    assert {(table, name) for kind, table, name in found if kind == "Measure"} <= MEASURES
    assert len(found) > 20


def test_there_are_pages_for_every_domain_and_for_data_quality() -> None:
    titles = [page["displayName"] for page in PAGES.values()]
    assert titles == ["E-wallet", "Sales", "Web shop", "Data quality"]


def test_relationships_make_a_star() -> None:
    many = {one.many[0] for one in RELATIONSHIPS}
    assert many and not many & {one.one[0] for one in RELATIONSHIPS}, "a path over two tables"
    between = [(one.many[0], one.one[0]) for one in RELATIONSHIPS if one.is_active]
    assert len(between) == len(set(between)), "two active paths between two tables"
    for one in RELATIONSHIPS:
        types = {TABLES[name].columns[column]["dataType"] for name, column in (one.many, one.one)}
        assert len(types) == 1, one
    fact_tables = {name for name, table in TABLES.items() if "_fact_" in table.relation}
    assert {name for name, to in between if to == "Dates"} >= fact_tables


def test_calendar_is_a_date_table_whose_names_have_their_order() -> None:
    dates = TABLES["Dates"]
    text = TEXTS[MODEL / "tables" / "Dates.tmdl"]
    assert "\tdataCategory: Time\n" in text
    assert [name for name, one in dates.columns.items() if "isKey" in one] == ["Calendar date"]
    assert "each [calendar_date] <> null" in text, "the key of a date table has no blank"
    order = {
        one["sourceColumn"]: one.get("sortByColumn")
        for one in dates.columns.values()
        if "sourceColumn" in one
    }
    assert (order["month_name"], order["weekday_name"]) == ("'Calendar month'", "'ISO weekday'")


def test_numbers_are_measures_with_a_format_a_folder_and_a_description() -> None:
    assert "\tdiscourageImplicitMeasures\n" in TEXTS[MODEL / "model.tmdl"]
    for name, table in TABLES.items():
        text = TEXTS[MODEL / "tables" / f"{name}.tmdl"]
        assert {one["summarizeBy"] for one in table.columns.values()} == {"none"}
        blocks = text.split("\n\n")
        measures = [block for block in blocks if "\tmeasure " in block]
        assert len(measures) == len(table.measures)
        for block in measures:
            assert block.lstrip("\n").startswith("\t/// "), block
            assert "\t\tdisplayFolder: " in block, block
            assert "\t\tformatString: " in block or "ABC class" in block, block


def test_nothing_tells_who_a_person_is() -> None:
    read = {source for table in TABLES.values() for source in table.selected}
    assert read and not read & OF_PEOPLE


def test_names_are_told_apart_in_any_case() -> None:
    for names in (
        list(TABLES),
        [measure for _, measure in MEASURES],
        *([*table.columns, *table.measures] for table in TABLES.values()),
    ):
        assert len({name.lower() for name in names}) == len(names)


def test_identifiers_are_uuids_and_differ() -> None:
    found = [
        UUID(identifier)
        for text in TEXTS.values()
        for identifier in re.findall(
            r'(?:lineageTag: |^relationship |"logicalId": ")([^"\n]+)', text, re.MULTILINE
        )
    ]
    assert len(found) == len(set(found)) > len(COLUMNS) + len(MEASURES)


@pytest.mark.parametrize("name", PAGES)
def test_visuals_stand_beside_each_other_in_reading_order(name: str) -> None:
    page = PAGES[name]
    places = sorted((one["position"] for one in page["visuals"]), key=lambda one: one["tabOrder"])
    for one in places:
        assert one["x"] >= 0 and one["x"] + one["width"] <= page["width"]
        assert one["y"] >= 0 and one["y"] + one["height"] <= page["height"]
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            apart = (
                one["x"] + one["width"] <= other["x"]
                or other["x"] + other["width"] <= one["x"]
                or one["y"] + one["height"] <= other["y"]
                or other["y"] + other["height"] <= one["y"]
            )
            assert apart, (one, other)
    assert all((one["y"], one["x"]) < (two["y"], two["x"]) for one, two in pairwise(places))


@pytest.mark.parametrize("name", PAGES)
def test_visual_has_a_text_for_those_who_cannot_see_it(name: str) -> None:
    for visual in PAGES[name]["visuals"]:
        general = visual["visual"]["visualContainerObjects"]["general"][0]["properties"]
        assert len(general["altText"]["expr"]["Literal"]["Value"]) > 10, visual["name"]


def test_files_are_where_their_names_say() -> None:
    for name, page in PAGES.items():
        assert page["name"] == name
        for path in tmdl.visuals_of(name):
            assert tmdl.read_json(path)["name"] == path.parent.name
    model = tmdl.read_json(REPORT.parent / "definition.pbir")["datasetReference"]["byPath"]["path"]
    assert (REPORT.parent / model).resolve() == MODEL.parent
    (report,) = tmdl.read_json(FOLDER / "Tidemark.pbip")["artifacts"]
    assert FOLDER / report["report"]["path"] == REPORT.parent
    assert {path.stem for path in MODEL.glob("tables/*")} == set(TABLES)

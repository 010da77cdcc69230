"""Values of Extended JSON as the types that are declared for them, or as none of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import embedded
from tests.support.dbt_warehouse import Warehouse
from tests.support.macros import Macros
from tests.support.servers import new_warehouse
from warehouse.upgrade import upgrade

ROUTINES = (
    *("json_or_null", "is_instant", "number_of_text", "text_of_value", "number_of_value"),
    *("instant_of_text", "instant_of_milliseconds", "instant_of_value", "uuid_of_value"),
    "bytes_of_value",
)
FAILS = "FAILS"
MILLISECONDS = [
    ("0", "1970-01-01 00:00:00"),
    ("-1", "1969-12-31 23:59:59.999"),
    ("1769854500250", "2026-01-31 10:15:00.25"),
    ("253402300799999", "9999-12-31 23:59:59.999"),
    ("-62135596800001", "0001-12-31 23:59:59.999 BC"),
    ("-210866803200000", "4714-11-24 00:00:00 BC"),
    ("-210866803200001", FAILS),
    ("9999999999999999", FAILS),
    ("1.5", FAILS),
]
CASES: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        *(("a", "a"), ("", ""), (1, "1"), (1.50, "1.5"), (True, "true"), (None, None)),
        ({"$oid": "65f0c0ffee65f0c0ffee65f0"}, "65f0c0ffee65f0c0ffee65f0"),
        ({"$numberLong": "12"}, "12"),
        ({"$numberDecimal": "1.50"}, "1.50"),
        ({"$uuid": "b0f2a4f0-1111-4222-8333-abcdefabcdef"}, "b0f2a4f0-1111-4222-8333-abcdefabcdef"),
        ({"$symbol": "s"}, "s"),
        ({"$undefined": True}, None),
        *(({"a": 1}, FAILS), ([1], FAILS), ({}, FAILS), ({"$minKey": 1}, FAILS)),
    ],
    "bigint": [
        *((1, "1"), (-0.0, "0"), ("7", "7"), (1.0, "1"), (1e3, "1000"), (None, None)),
        *(({"$numberInt": "-5"}, "-5"), ({"$numberLong": "9223372036854775807"}, f"{2**63 - 1}")),
        *(({"$numberDouble": "2.0"}, "2"), ({"$numberDecimal": "1E+3"}, "1000")),
        *(({"$numberLong": "9223372036854775808"}, FAILS), (1.5, FAILS), ("1.5", FAILS)),
        *(({"$numberDouble": "NaN"}, FAILS), ({"$numberDouble": "Infinity"}, FAILS)),
        *(("x", FAILS), ("", FAILS), (True, FAILS), ({}, FAILS), ([1], FAILS), ("0x10", FAILS)),
        ({"$date": {"$numberLong": "1"}}, FAILS),
    ],
    "integer": [({"$numberLong": "2147483647"}, "2147483647"), (2147483648, FAILS)],
    "smallint": [(-32768, "-32768"), (32768, FAILS)],
    "numeric(10,2)": [
        *((10.5, "10.50"), ("10.50", "10.50"), ({"$numberDecimal": "50000.00"}, "50000.00")),
        *(({"$numberInt": "7"}, "7.00"), ({"$numberDouble": "0.1"}, "0.10"), (None, None)),
        *(({"$numberDecimal": "99999999.99"}, "99999999.99"), (100000000, FAILS)),
        *((0.001, FAILS), ({"$numberDecimal": "NaN"}, "NaN"), ({"$numberDecimal": "ten"}, FAILS)),
        *(({"$numberDecimal": "Infinity"}, FAILS), ({"$numberDecimal": "1E+6144"}, FAILS)),
        *(({"$numberDecimal": "1E-6176"}, FAILS), (" 1", FAILS), ("1_000", FAILS)),
    ],
    "numeric": [
        ({"$numberDecimal": "1234567890123456789012345678901234"}, f"{'1234567890' * 3}1234"),
        ({"$numberDecimal": "0.1234567890123456789012345678901234"}, f"0.{'1234567890' * 3}1234"),
        *(({"$numberDecimal": "-Infinity"}, "-Infinity"), ({"$numberDecimal": "NaN"}, "NaN")),
        ({"$numberDecimal": "-1.50E+3"}, "-1500"),
        *(("1" * 401, FAILS), ("1e99999", FAILS), ("--1", FAILS)),
    ],
    "double precision": [
        *((0.1, "0.1"), ({"$numberDouble": "-0.0"}, "0"), ({"$numberDouble": "5E-324"}, "5e-324")),
        ({"$numberDouble": "1.7976931348623157E+308"}, "1.7976931348623157e+308"),
        *(({"$numberDouble": "NaN"}, "NaN"), ({"$numberDouble": "-Infinity"}, "-Infinity")),
        *(({"$numberDecimal": "1E+400"}, FAILS), ({"$numberDecimal": "1E-400"}, FAILS)),
    ],
    "boolean": [(True, "true"), (False, "false"), (None, None), ("true", FAILS), (1, FAILS)],
    "timestamptz": [
        *(({"$date": {"$numberLong": one}}, time) for one, time in MILLISECONDS),
        ({"$date": 1769854500250}, "2026-01-31 10:15:00.25"),
        ({"$date": "2026-01-31T10:15:00.250Z"}, "2026-01-31 10:15:00.25"),
        ({"$date": "2026-01-31T17:15:00+07:00"}, "2026-01-31 10:15:00"),
        ("2026-01-31T10:15:00Z", "2026-01-31 10:15:00"),
        ({"$timestamp": {"t": 1769854500, "i": 3}}, "2026-01-31 10:15:00"),
        *(({"$date": "2026-02-30T00:00:00Z"}, FAILS), ({"$date": "2026-01-31"}, FAILS)),
        *(({"$date": None}, FAILS), ({"$date": {}}, FAILS), (1769854500250, FAILS), ("now", FAILS)),
        *((["$date"], FAILS), ("$date", FAILS), ({"$timestamp": {}}, FAILS)),
    ],
    "date": [
        *(({"$date": {"$numberLong": "-1"}}, "1969-12-31"), ({"$date": "soon"}, FAILS)),
        ({"$date": "2026-01-31T23:59:59.999Z"}, "2026-01-31"),
    ],
    "uuid": [
        *(
            (one, "b0f2a4f0-1111-4222-8333-abcdefabcdef")
            for one in (
                {"$binary": {"base64": "sPKk8BERQiKDM6vN76vN7w==", "subType": "04"}},
                {"$uuid": "B0F2A4F0-1111-4222-8333-ABCDEFABCDEF"},
                "b0f2a4f0-1111-4222-8333-abcdefabcdef",
            )
        ),
        ({"$binary": {"base64": "sPKk8BERQiKDM6vN76vN7w==", "subType": "03"}}, FAILS),
        *(({"$binary": {"base64": "AA==", "subType": "04"}}, FAILS), ("x", FAILS), ({}, FAILS)),
    ],
    "bytea": [
        ({"$binary": {"base64": "AP8=", "subType": "00"}}, "\\x00ff"),
        ({"$binary": {"base64": "", "subType": "00"}}, "\\x"),
        *(({"$binary": {"base64": "AP8", "subType": "00"}}, FAILS), ("AP8=", FAILS)),
        ({"$binary": {"base64": "A=P8", "subType": "00"}}, FAILS),
    ],
    "jsonb": [({"a": [1]}, '{"a": [1]}'), (None, None), ([], "[]")],
}
PATHS = [
    ("a", {"a": 1}, "1"),
    ("a.b", {"a": {"b": 1}}, "1"),
    ("a.0.b", {"a": [{"b": 1}]}, "1"),
    ("a.b", {"a": 1}, None),
    ("a.b", {"a": None}, None),
    (["a.b", "it's"], {"a.b": {"it's": 1}}, "1"),
    (["a.b"], {"a.b": 1}, "1"),
    (".", 1, "1"),
]


@pytest.fixture(scope="module")
def macros() -> Macros:
    names = ("value_at", "value_as", "number_as", "is_of_numbers", "type_without_size")
    files = [f"documents/{name}" for name in (*names, "typed_values", "failed_columns")]
    routines = [f"routines/{name}" for name in ROUTINES]
    return Macros(
        [*files, *routines, "events/join_once"],
        knows_valid_input=lambda: True,
        model=type("Model", (), {"name": "stg_x"}),
    )


@pytest.fixture(scope="module")
def warehouse(servers: embedded.Servers, macros: Macros) -> Iterator[Warehouse]:
    with new_warehouse(servers) as address:
        made = Warehouse(address)
        upgrade(made.connection)
        for name in ROUTINES:
            made.query(str(getattr(macros, name)()))
        made.query("set timezone = 'UTC'")
        yield made
        made.connection.close()


def read(warehouse: Warehouse, macros: Macros, kind: str, path: Any, document: Any) -> Any:
    """The value as text, None, or FAILS if it is counted as a failed cast."""
    columns = [{"name": "x", "type": kind, "meta": {"path": path}}]
    query = (
        f"select typed.x::text, {macros.failed_columns(columns)}"
        " from (select %s::jsonb as body) as parsed"
        f" {macros.typed_values(columns, 'parsed.body', '1')}"
    )
    ((value, failed),) = warehouse.query(re.sub("%(?!s:)", "%%", query), json.dumps(document))
    assert failed in ([], ["x"])
    return FAILS if failed else value


@pytest.mark.parametrize("kind", CASES)
def test_value_is_the_declared_type_or_counted(
    warehouse: Warehouse, macros: Macros, kind: str
) -> None:
    found = [read(warehouse, macros, kind, "a", {"a": value}) for value, _ in CASES[kind]]
    expected = [
        f"{text[:-3]}+00 BC"
        if kind == "timestamptz" and text and text.endswith(" BC")
        else f"{text}+00"
        if kind == "timestamptz" and text not in (FAILS, None)
        else text
        for _, text in CASES[kind]
    ]
    assert list(zip(CASES[kind], found, strict=True)) == list(
        zip(CASES[kind], expected, strict=True)
    )


@pytest.mark.parametrize("kind", CASES)
def test_field_that_is_not_there_is_null_and_no_failure(
    warehouse: Warehouse, macros: Macros, kind: str
) -> None:
    assert read(warehouse, macros, kind, "a", {}) is None


@pytest.mark.parametrize(("path", "document", "value"), PATHS, ids=str)
def test_path_leads_to_the_value(
    warehouse: Warehouse, macros: Macros, path: Any, document: Any, value: Any
) -> None:
    assert read(warehouse, macros, "integer", path, document) == value


def test_type_that_no_value_has_is_refused(macros: Macros) -> None:
    with pytest.raises(
        Exception, match=r"stg_x: no field of a document is read as money\n *HINT: "
    ):
        macros.value_as("money", "x")

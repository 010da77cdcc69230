"""The table of types: every type has one, or is refused with the way out."""

import pytest

from common.settings import PROJECT
from publishing.errors import TypeRefused
from publishing.types import RULES, DateRange, rule_of

PAGE = (PROJECT / "docs" / "publishing.md").read_text(encoding="utf-8")


def target(kind: str, declared: str | None = None) -> str:
    return rule_of("t", "c", kind, declared).target


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bigint", "Int64"),
        ("character varying(20)", "String"),
        ("timestamp(0) with time zone", "DateTime64(6, 'UTC')"),
        ("timestamp without time zone", "DateTime64(6, 'UTC')"),
        ("numeric(65,30)", "Decimal(65, 30)"),
        ("numeric(76,0)", "Decimal(76, 0)"),
        ("text[]", "String"),
        ("numeric(10,2)[]", "String"),
        ("enum", "String"),
        ("bytea", "String"),
    ],
)
def test_type_of_postgresql_has_one_of_clickhouse(kind: str, expected: str) -> None:
    assert target(kind) == expected


@pytest.mark.parametrize(
    ("kind", "declared", "told"),
    [
        ("numeric", None, "is numeric without a precision\nHINT: Declare `types: {c: 'Decimal"),
        ("numeric(100,2)", None, "is numeric(100,2), which Decimal cannot hold"),
        ("numeric(2,5)", None, "is numeric(2,5), which Decimal cannot hold"),
        ("numeric(5,-2)", None, "is numeric(5,-2), which Decimal cannot hold"),
        ("inet", None, "is of type inet, which has no type in ClickHouse\nHINT: Declare `types"),
        ("character(3)", None, "is of type character(3)"),
        ("text", "Decimal(5, 2)", "of type text cannot be published as Decimal(5, 2)"),
        ("numeric", "Decimal(77, 2)", "is declared as Decimal(77, 2)"),
        ("numeric", "Decimal(5, 6)", "is declared as Decimal(5, 6)"),
    ],
)
def test_type_without_a_rule_is_refused(kind: str, declared: str | None, told: str) -> None:
    with pytest.raises(TypeRefused) as caught:
        rule_of("t", "c", kind, declared)
    assert told in str(caught.value)


def test_any_type_can_be_published_as_its_text() -> None:
    assert [target(kind, "String") for kind in ("inet", "numeric", "date", "int[]")] == [
        "String"
    ] * 4


def test_server_with_fewer_days_is_sent_no_other_day() -> None:
    narrow = DateRange("1900-01-01", "2299-12-31")
    out = rule_of("t", "c", "timestamp with time zone", None, narrow).out.format("x")
    assert "between '1900-01-01' and '2299-12-31'" in out
    assert "'beyond'" in out
    assert rule_of("t", "c", "date", None).out == "{}"


def test_page_has_every_type() -> None:
    section = PAGE.split("\n## Types\n")[1].split("\n## ")[0]
    short = {"character varying": "varchar", "timestamp without time zone": "timestamp"}
    short |= {"timestamp with time zone": "timestamptz", "time with time zone": "timetz"}
    short |= {"time without time zone": "time"}
    for name, rule in RULES.items():
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        (line,) = [line for line in rows if f"`{short.get(name, name)}`" in line.split("|")[1]]
        assert f"`{rule.target}`" in line, name

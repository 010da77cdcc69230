"""The one table of types: what PostgreSQL stores, what ClickHouse stores, and the text of both.

A column is read by COPY as `out` writes it. For proofs, both sides write the same canonical text:
`source_text` in PostgreSQL, `target_text` in ClickHouse. Neither side may round, clamp or trim.
"""

import re
from dataclasses import dataclass, replace

from publishing.errors import TypeRefused

MOST_DIGITS = 76
BEYOND = "beyond"
"""What is sent for a value that its type cannot hold: no date or number, so that it is refused."""
EPOCH_MICROSECONDS = 946_684_800_000_000
"""From 1970, from which ClickHouse counts, to 2000, from which PostgreSQL does."""
DECIMAL = re.compile(r"Decimal\((\d{1,2}), ?(\d{1,2})\)")


@dataclass(frozen=True)
class DateRange:
    """The first and the last day that a server can hold."""

    first: str = "0001-01-01"
    last: str = "9999-12-31"


@dataclass(frozen=True)
class Rule:
    """How the values of a type are published; `{}` stands for the column in each expression.

    `has_length` says that the canonical text may have any characters, so that its length in bytes
    is written before it. `misfit` is PostgreSQL's condition for a value that the type cannot hold.
    """

    target: str
    out: str = "{}"
    source_text: str = "{}::text"
    target_text: str = "toString({})"
    has_length: bool = False
    misfit: str = "false"


STRING = Rule("String", "{}::text", "{}::text", "{}", has_length=True)
HEX_OF_64 = "leftPad(lower(hex({})), 16, '0')"
MICROSECONDS = HEX_OF_64.format(
    f"reinterpretAsUInt64(toUnixTimestamp64Micro({{}}) - {EPOCH_MICROSECONDS})"
)


def _float(bits: int) -> Rule:
    digits, name = bits // 4, bits // 8
    hex_of = f"leftPad(lower(hex(reinterpretAsUInt{bits}({{0}}))), {digits}, '0')"
    return Rule(
        f"Float{bits}",
        "{}",
        f"case when {{0}} = 'NaN' then 'NaN' else encode(float{name}send({{0}}), 'hex') end",
        f"if(isNaN({{0}}), 'NaN', {hex_of})",
    )


RULES: dict[str, Rule] = {
    "smallint": Rule("Int16"),
    "integer": Rule("Int32"),
    "bigint": Rule("Int64"),
    "boolean": Rule("Bool"),
    "real": _float(32),
    "double precision": _float(64),
    "text": STRING,
    "character varying": STRING,
    "uuid": Rule("UUID"),
    "date": Rule("Date32"),
    "timestamp without time zone": Rule(
        "DateTime64(6, 'UTC')", "{}", "encode(timestamp_send({}), 'hex')", MICROSECONDS
    ),
    "timestamp with time zone": Rule(
        "DateTime64(6, 'UTC')",
        "{} at time zone 'UTC'",
        "encode(timestamptz_send({}), 'hex')",
        MICROSECONDS,
    ),
    # what ClickHouse has no type for that holds every value: a text
    "time without time zone": STRING,
    "time with time zone": STRING,
    "interval": STRING,
    "json": STRING,
    "jsonb": STRING,
    "bytea": Rule("String", "encode({}, 'hex')", "encode({}, 'hex')", "{}", has_length=True),
}
"""The rules by PostgreSQL's name of the type; numeric, arrays and enumerations are below."""
ARRAY = Rule("String", "to_jsonb({})::text", "to_jsonb({})::text", "{}", has_length=True)
NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
CHARACTER_LENGTH = re.compile(r"\(\d+\)")
BOUNDED = {"Date32": "{0}", "DateTime64(6, 'UTC')": "{0}::date"}
"""The types that have a first and a last day, and the day of a value."""
NO_NUMBER = "{0} in ('NaN', 'Infinity', '-Infinity')"


def rule_of(
    table: str, column: str, kind: str, declared: str | None, dates: DateRange = DateRange()
) -> Rule:
    """The rule of a column of a PostgreSQL type, or of the type declared for it.

    `kind` is the type as `format_type` writes it, or `enum`. Raises TypeRefused.
    """
    if declared == "String":
        return ARRAY if kind.endswith("[]") else STRING
    if declared is not None:
        return _declared_decimal(table, column, kind, declared)
    if kind.endswith("[]"):
        return ARRAY
    if kind.startswith("numeric"):
        return _numeric(table, column, kind)
    if kind == "enum":
        return STRING
    rule = RULES.get(CHARACTER_LENGTH.sub("", kind))
    if rule is None:
        raise TypeRefused(
            table,
            f'the column "{column}" is of type {kind}, which has no type in ClickHouse',
            f"Declare `types: {{{column}: String}}` in its `publish`, which publishes the text.",
        )
    return _within(rule, dates)


def _within(rule: Rule, dates: DateRange) -> Rule:
    """The rule with a range of days; one outside of it is sent as a text that is no date."""
    day = BOUNDED.get(rule.target)
    if day is None:
        return rule
    in_range = f"{day} between '{dates.first}' and '{dates.last}'"
    rule = replace(rule, misfit=f"not {in_range}")
    if dates == DateRange():
        return rule  # such a server refuses by itself what it cannot hold
    out = rule.out.replace("{}", "{0}")
    sent = f"case when {in_range} then ({out})::text when {{0}} is not null then '{BEYOND}' end"
    return replace(rule, out=sent)


def _numeric(table: str, column: str, kind: str) -> Rule:
    found = NUMERIC.fullmatch(kind)
    if found is None:
        raise TypeRefused(
            table,
            f'the column "{column}" is numeric without a precision',
            f"Declare `types: {{{column}: 'Decimal(38, 6)'}}` in its `publish`, with the digits"
            " that its values have, or String.",
        )
    precision, scale = int(found[1]), int(found[2])
    if precision > MOST_DIGITS or not 0 <= scale <= precision:
        raise TypeRefused(
            table,
            f'the column "{column}" is {kind}, which Decimal cannot hold',
            f"Declare `types: {{{column}: String}}` in its `publish`, which publishes the text.",
        )
    return _decimal(precision, scale, "{}")


def _declared_decimal(table: str, column: str, kind: str, declared: str) -> Rule:
    found = DECIMAL.fullmatch(declared)
    if not found or not kind.startswith("numeric"):
        raise TypeRefused(
            table,
            f'the column "{column}" of type {kind} cannot be published as {declared}',
            "Declare String, or for a numeric Decimal(P, S), or leave it out.",
        )
    precision, scale = int(found[1]), int(found[2])
    if not 1 <= precision <= MOST_DIGITS or scale > precision:
        raise TypeRefused(
            table,
            f'the column "{column}" is declared as {declared}',
            f"Declare at most {MOST_DIGITS} digits, and no more after the point than in all.",
        )
    # numeric(P, S) rounds, which is not exact: a value with more digits is refused
    fits = f"{{0}} = round({{0}}, {scale}) and abs({{0}}) < 1e{precision - scale}"
    number = f"{{0}}::numeric({precision}, {scale})::text"
    out = f"case when {fits} then {number} when {{0}} is not null then '{BEYOND}' end"
    return replace(_decimal(precision, scale, out, out), misfit=f"not ({fits})")


def _decimal(precision: int, scale: int, out: str, source_text: str = "{}::text") -> Rule:
    target_text = f"toDecimalString({{}}, {scale})"
    target = f"Decimal({precision}, {scale})"
    return Rule(target, out, source_text, target_text, misfit=NO_NUMBER)

"""Writes `docs/types.md` from the one table of types: `python -m docs.generate_types`."""

from common.settings import PROJECT
from extract.catalog import KEY_LITERALS
from extract.column import SourceColumn
from extract.ranges import ORDERED_ALIKE
from extract.texts import MARK_DIGITS, SHORT_TEXT
from extract.types import RULES, TypeRule, mirror_text, postgres_type, source_text

PAGE = PROJECT / "docs" / "types.md"

HEAD = """# Types

Written by `python -m docs.generate_types` from `extract/types.py`: change that, not this.

Every value has one canonical text. The source server writes it, PostgreSQL parses it into the type
of the mirror, and writes the same text again from what it has stored. So one text serves the load
and the [comparison](architecture.md#how-the-mirror-is-compared) of the two. `c` is the column. The
session of the source is in UTC and utf8mb4. NULL stays NULL.

What PostgreSQL cannot hold is stored as said under *deviates*. Where that loses something, the row
of `dwh.mirror_anomaly` says which key, which column and why. A type that is not here stops its
table, with a message, before a row is read.
"""

VARIANTS = {
    "bit": (("bit(8)", 8, 0, 0), ("bit(64)", 64, 0, 0)),
    "decimal": (("decimal(10,2)", 10, 2, 0),),
    "datetime": (("datetime", 0, 0, 0), ("datetime(3)", 0, 0, 3)),
    "timestamp": (("timestamp", 0, 0, 0), ("timestamp(3)", 0, 0, 3)),
    "time": (("time", 0, 0, 0), ("time(3)", 0, 0, 3)),
}
"""How a type is spelled where that matters: name, precision, scale, digits of a second."""
SIGNED = ("tinyint", "smallint", "mediumint", "int", "bigint")

NOTES = {
    "tinyint": "`ZEROFILL` and the width in `int(8)` are display and not data; both go.",
    "bit": "The bits are a number; how many there are is not kept.",
    "decimal": "The zeros of `ZEROFILL` go.",
    "float": "The text is that of the same value as a DOUBLE, since a FLOAT prints six digits of"
    " it. The sign of -0 goes.",
    "double": "The display of `DOUBLE(M,D)` goes, and the sign of -0.",
    "datetime": "It has no zone at the source, and none here.",
    "time": "An interval, since a TIME goes from -838:59:59 to 838:59:59.",
    "char": "Any length, see [decision 4](decisions/0004-text-not-varchar.md). CHAR comes without"
    " trailing blanks, as the server gives it.",
    "enum": "The label. A value that was invalid when it was written has the number 0 and shows as"
    " '': it is '' here too, and an anomaly. Where '' is itself a member of the ENUM, it is ␀"
    " (U+2400), an anomaly, and in a key it stops the table.",
    "set": "The labels. A member '' that comes first shows as nothing: it is ␀ (U+2400) here, an"
    " anomaly, and in a key it stops the table.",
    "json": "The text as the source has it: order, double keys and blanks kept, as `json` and not"
    " `jsonb`. MariaDB's JSON is a LONGTEXT there, and so its mirror is `text`.",
    "inet4": "PostgreSQL's `inet` writes some addresses otherwise.",
    "geometry": "The bytes that the source keeps: the SRID in four bytes, the lowest first, then"
    " the geometry as WKB. With PostGIS, `st_geomfromwkb(substring(c from 5))` reads them.",
    "vector": "The bytes that the source keeps: four for each number, a FLOAT, the lowest first.",
}
"""What a reader of the mirror should know, by the first type of a rule."""

UNTRIED = {
    "json": "the JSON of MySQL 5.7 and later",
    "geometry": "GEOMCOLLECTION, as MySQL 8 calls a GEOMETRYCOLLECTION",
    "vector": "the VECTOR of MariaDB 11.7 and MySQL 9",
}
"""What is written from documentation, and no server of the tests has, by the first type."""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(_section, RULES)])


def _section(rule: TypeRule) -> str:
    columns = [column for name in rule.data_types for column in _columns(name)]
    # the last one has a fraction of a second where the type can have one
    example = columns[-1]
    lines = [
        f"## {', '.join(name.upper() for name in rule.data_types)}",
        "",
        "| at the source | in the mirror |",
        "| --- | --- |",
        *(f"| `{column.column_type}` | `{postgres_type(column)}` |" for column in columns),
        "",
        "```sql",
        f"-- the source writes{_of(example)}",
        source_text(example),
        f"-- PostgreSQL writes{_of(example)}",
        mirror_text(example),
        "```",
        "",
        f"As a key: {_as_key(rule)}.",
        "",
    ]
    notes = [NOTES.get(rule.data_types[0], ""), _anomaly(rule)]
    if any(notes):
        lines += [f"Deviates: {' '.join(filter(None, notes))}", ""]
    if rule.data_types[0] in UNTRIED:
        lines += [f"Written from documentation and untried: {UNTRIED[rule.data_types[0]]}.", ""]
    return "\n".join(lines)


def _columns(data_type: str) -> list[SourceColumn]:
    variants = VARIANTS.get(data_type, ((data_type, 0, 0, 0),))
    if data_type in SIGNED:
        variants += ((f"{data_type} unsigned", 0, 0, 0),)
    return [
        SourceColumn("c", data_type, spelled, precision, scale, digits, nullable=True)
        for spelled, precision, scale, digits in variants
    ]


def _of(example: SourceColumn) -> str:
    return f", of a {example.column_type}" if example.datetime_precision else ""


def _as_key(rule: TypeRule) -> str:
    if rule.literal not in KEY_LITERALS:
        return "refused, since it cannot be compared digit by digit"
    if rule.literal in ORDERED_ALIKE:
        return "compared by key ranges"
    return "compared row by row, since the two servers order it differently"


def _anomaly(rule: TypeRule) -> str:
    if rule.held:
        return f"A value without `{rule.held.format(c='c')}` becomes NULL, and an anomaly."
    if rule.quoted:
        return (
            "The character NUL becomes ␀ (U+2400), and an anomaly. Bytes that are no Unicode"
            " character, as a surrogate without its other half or a character that a user defined,"
            " become `?`, and an anomaly with the first bytes of the text. Behind such a text of up"
            f" to {SHORT_TEXT:,} bytes stand U+FFFD and {MARK_DIGITS} digits of the SHA-256 of its"
            " bytes, so that two of them stay two. A character that has a Unicode, but comes back"
            " from it as other bytes, is that character, and an anomaly."
        )
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

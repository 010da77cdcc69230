"""Writes `docs/types.md` from the one table of types: `python -m docs.generate_types`."""

from common.settings import PROJECT
from extract.column import KeyKind
from extract.mysql.facts import ColumnFacts
from extract.mysql.texts import MARK_DIGITS, SHORT_TEXT
from extract.mysql.types import RULES, TypeRule, resolve
from extract.ranges import ORDERED_ALIKE

PAGE = PROJECT / "docs" / "types.md"

HEAD = """# Types

This page is generated from `extract/mysql/types.py` by `python -m docs.generate_types`; do not edit
it.

Every value has one canonical text. The source server writes it, PostgreSQL parses it into the type
of the mirror, and PostgreSQL writes the same text again from what it has stored. So the same text
is used to load a value and to [compare](architecture.md#how-the-mirror-is-compared) both sides, but
for a binary value of more than 256 bytes, which is compared by its own SHA-256. In the expressions,
`c` is the column. The session on the source uses UTC and utf8mb4. NULL stays NULL.

*Deviates* says how a value is stored that PostgreSQL cannot represent. If something is lost, a row
of `dwh.mirror_anomaly` records the key, the column and the reason. If a table has a column of a
type that is not listed here, it stops with a message before any of its rows is read.
"""

VARIANTS = {
    "bit": (("bit(8)", 8, 0, 0), ("bit(64)", 64, 0, 0)),
    "decimal": (("decimal(10,2)", 10, 2, 0),),
    "datetime": (("datetime", 0, 0, 0), ("datetime(3)", 0, 0, 3)),
    "timestamp": (("timestamp", 0, 0, 0), ("timestamp(3)", 0, 0, 3)),
    "time": (("time", 0, 0, 0), ("time(3)", 0, 0, 3)),
}
"""Variants of a type that are stored differently: name, precision, scale, digits of a second."""
SIGNED = ("tinyint", "smallint", "mediumint", "int", "bigint")

NOTES = {
    "tinyint": "`ZEROFILL` and the width in `int(8)` concern display only, and are not mirrored.",
    "bit": "The bits are stored as a number; the declared number of bits is not kept.",
    "decimal": "The zeros of `ZEROFILL` are not mirrored.",
    "float": "The text is that of the same value as a DOUBLE, since the server writes only six"
    " digits of a FLOAT. The sign of -0 is lost.",
    "double": "The display format of `DOUBLE(M,D)` and the sign of -0 are lost.",
    "datetime": "It has no time zone, neither at the source nor in the mirror.",
    "time": "It is an interval, since a TIME ranges from -838:59:59 to 838:59:59.",
    "char": "The mirror does not limit the length, see [decision"
    " 4](decisions/0004-text-not-varchar.md). CHAR has no trailing blanks, as the server"
    " returns it.",
    "enum": "The label is stored. A value that was invalid when it was written has the number 0 and"
    " is shown as '': it is '' in the mirror too, and an anomaly. If '' is also a member of the"
    " ENUM, the invalid value is ␀ (U+2400), an anomaly, and in a key it stops the table.",
    "set": "The labels are stored. If a member '' comes first, it is shown as nothing: it is ␀"
    " (U+2400) in the mirror, an anomaly, and in a key it stops the table.",
    "json": "The text of the source is stored as `json` and not `jsonb`, so that order, duplicate"
    " keys and blanks are kept. In MariaDB, JSON is a LONGTEXT, so its mirror is `text`.",
    "inet4": "PostgreSQL's `inet` would write some addresses differently.",
    "geometry": "The bytes that the source stores: the SRID in four bytes, the lowest first, then"
    " the geometry as WKB. With PostGIS, `st_geomfromwkb(substring(c from 5))` reads them.",
    "vector": "The bytes that the source stores: four for each number, a FLOAT, the lowest first.",
}
"""Remarks for readers of the mirror, by the first type of a rule."""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(_section, RULES)])


def _section(rule: TypeRule) -> str:
    columns = [column for name in rule.data_types for column in _columns(name)]
    # the last one has a fraction of a second if the type can have one
    example = columns[-1]
    lines = [
        f"## {', '.join(name.upper() for name in rule.data_types)}",
        "",
        "| at the source | in the mirror |",
        "| --- | --- |",
        *(f"| `{column.column_type}` | `{resolve(column).mirror_type}` |" for column in columns),
        "",
        "```sql",
        f"-- the source writes{_of(example)}",
        resolve(example).source_text(),
        f"-- PostgreSQL writes{_of(example)}",
        resolve(example).mirror_text(),
        "```",
        "",
        f"As a key: {_as_key(rule)}.",
        "",
    ]
    notes = [NOTES.get(rule.data_types[0], ""), _anomaly(rule)]
    if any(notes):
        lines += [f"Deviates: {' '.join(filter(None, notes))}", ""]
    return "\n".join(lines)


def _columns(data_type: str) -> list[ColumnFacts]:
    variants = VARIANTS.get(data_type, ((data_type, 0, 0, 0),))
    if data_type in SIGNED:
        variants += ((f"{data_type} unsigned", 0, 0, 0),)
    return [
        ColumnFacts("c", data_type, spelled, precision, scale, digits, nullable=True)
        for spelled, precision, scale, digits in variants
    ]


def _of(example: ColumnFacts) -> str:
    return f", of a {example.column_type}" if example.datetime_precision else ""


def _as_key(rule: TypeRule) -> str:
    if rule.key_kind is None:
        return "refused, since it cannot be compared digit by digit"
    if rule.key_kind in ORDERED_ALIKE:
        return "compared by key ranges"
    if rule.key_kind is KeyKind.TEXT:
        return (
            "compared by key ranges if both servers have their ends in one order, else row by row"
        )
    return "compared row by row, since the two servers order it differently"


def _anomaly(rule: TypeRule) -> str:
    if rule.representable:
        satisfied = rule.representable.format(c="c")
        return f"A value that does not satisfy `{satisfied}` becomes NULL, and an anomaly."
    if rule.data_types == ("json",):
        return (
            "A value that is longer than the source's `max_allowed_packet` cannot be read: MySQL"
            " shows it as nothing. It becomes `null`, that of JSON, and an anomaly."
        )
    if rule.quoted:
        return (
            "The character NUL becomes ␀ (U+2400), and an anomaly. Bytes that are not a Unicode"
            " character, such as an unpaired surrogate or a user-defined character, become `?`, and"
            " an anomaly with the first bytes of the text. If such a text has up to"
            f" {SHORT_TEXT:,} bytes, U+FFFD and {MARK_DIGITS} digits of the SHA-256 of its bytes"
            " are appended, so that two different texts stay different. A character that has a"
            " Unicode equivalent, but is converted back to other bytes, becomes this equivalent,"
            " and an anomaly."
        )
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

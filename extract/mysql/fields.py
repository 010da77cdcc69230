"""Fields of a CSV line, written by the source server, or here if the server cannot."""

import re
from dataclasses import dataclass

from extract.column import VALUE, Column
from extract.mysql.texts import storable

SHORT = 1_024
"""The most octets, in its own character set, of a text that is quoted by REPLACE()."""
QUICKLY_QUOTED = r"""concat("'", replace(replace({}, "\\", "\\\\"), "'", "\\'"), "'")"""
"""Writes the same as QUOTE() at half its cost, since QUOTE() works character by character.

REPLACE() takes quadratic time and cannot be killed meanwhile, so this is only for short texts.
"""
_QUOTE_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_QUOTED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\0")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


@dataclass(frozen=True)
class Field:
    """One field of a CSV line: the expression that the server writes, and how.

    `fast` is a cheaper expression, correct if no value of the row is an anomaly. `bare` is the
    value without a function, for which no value is too wide: a text, or the bytes of a binary
    value; NULL if no value is wide. `octets` is the most that a text can have, 0 if there is no
    limit. `wide` is the name of a column whose values may be wide, None for other fields.
    """

    expression: str
    fast: str
    bare: str
    quoted: bool
    nullable: bool = True
    octets: int = 0
    wide: str | None = None

    def line(self, is_fast: bool) -> str:
        expression = self.fast if is_fast else self.expression
        if self.quoted:
            expression = self._in_quotes(expression)
        if self.wide and self.nullable:
            # the server returns NULL for an expression that is too wide, and then for the whole
            # line
            return f"if({self.wide} is null, 'NULL', {expression})"
        if self.wide or (is_fast and not self.nullable):
            return expression
        return f"ifnull({expression}, 'NULL')"

    def _in_quotes(self, text: str) -> str:
        quickly = QUICKLY_QUOTED.format(text)
        if 0 < self.octets <= SHORT:
            return quickly
        # QUOTE() of NULL, as of a text that was too wide, is the word NULL; and for MariaDB, a cast
        # of a column that is NOT NULL never IS NULL
        quoted = f"if(octet_length({text}) >= 0, quote({text}), null)"
        # every use of the text converts it once more
        return f"if(octet_length({self.wide or text}) <= {SHORT}, {quickly}, {quoted})"


def column_field(column: Column) -> Field:
    """The field that carries a column's value."""
    source = column.source
    text, fast = column.source_text(), source.fast_text.replace(VALUE, source.name)
    if not column.can_be_wide:
        return Field(text, fast, "null", column.is_quoted, column.nullable, source.most_octets)
    return Field(
        text,
        fast,
        source.octets,
        column.is_quoted,
        column.nullable,
        source.most_octets,
        source.name,
    )


def computed_field(expression: str, quoted: bool) -> Field:
    """The field that carries what the server computes."""
    return Field(expression, expression, "null", quoted)


def is_odd(value: bytes) -> bool:
    """True if a text contains a NUL, or a surrogate in UTF-8."""
    # searching for one byte is a hundred times as fast as for two, and two are ten times as fast
    # as the pattern
    if b"\0" in value:
        return True
    if b"\\" in value and b"\\0" in value and _QUOTED_NUL.search(value):
        return True
    return b"\xed" in value and _SURROGATE.search(value) is not None


def without_quote_escapes(value: bytes) -> bytes:
    r"""The value without the escape of QUOTE() that COPY does not know: `\Z`."""
    if b"\\" not in value or b"\\Z" not in value:
        return value
    return _QUOTE_ESCAPE.sub(
        lambda match: b"\x1a" if match.group(1) == b"Z" else match.group(0), value
    )


def escaped(field: Field, value: bytes | None, bare: bytes | None) -> bytes:
    """One field of a CSV line, escaped here: text in quotes, bytes as PostgreSQL's hex."""
    if field.quoted:
        text = bare if value is None else value
        if text is None:
            return b"NULL"
        # in a wide value the source may not detect such characters
        text = storable(text)
        return b"'" + text.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"
    if value is not None:
        return value
    return b"NULL" if bare is None else b"\\x" + bare.hex().encode()

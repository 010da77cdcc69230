"""Fields of a CSV line, written by the source's server, or here where that cannot."""

import re
from dataclasses import dataclass

from extract.column import VALUE, Column
from extract.mysql.texts import storable

SHORT = 1_024
"""Octets of a text that is quoted the quick way."""
QUICKLY_QUOTED = r"""concat("'", replace(replace({}, "\\", "\\\\"), "'", "\\'"), "'")"""
"""What QUOTE() writes, at half its cost: it goes character by character.

REPLACE() takes quadratic time, in which it cannot be killed, so only short texts are quoted so.
"""
_QUOTE_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_QUOTED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\0")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


@dataclass(frozen=True)
class Field:
    """One field of a CSV line: the expression that the server writes, and how.

    `plain` is a cheaper expression, right where no value of the row needs to be noted. `bare` is
    the value as it is without a function, for which nothing is too wide: a text, or the bytes of a
    binary one; NULL where no value is wide. `octets` is the most that a text can have, 0 for any
    number. `wide` is the column's name where the field carries one whose values may be wide.
    """

    expression: str
    plain: str
    bare: str
    quoted: bool
    nullable: bool = True
    octets: int = 0
    wide: str | None = None

    def line(self, is_plain: bool) -> str:
        expression = self.plain if is_plain else self.expression
        if self.quoted:
            expression = self._in_quotes(expression)
        if self.wide and self.nullable:
            # an expression that is too wide is NULL to the server, and then all of the line is
            return f"if({self.wide} is null, 'NULL', {expression})"
        if self.wide or (is_plain and not self.nullable):
            return expression
        return f"ifnull({expression}, 'NULL')"

    def _in_quotes(self, text: str) -> str:
        quickly = QUICKLY_QUOTED.format(text)
        if 0 < self.octets <= SHORT:
            return quickly
        # QUOTE() of a text that was too wide, and so is NULL, is the word NULL
        quoted = f"when {text} is not null then quote({text})"
        return f"case when octet_length({text}) <= {SHORT} then {quickly} {quoted} end"


def column_field(column: Column) -> Field:
    """The field that carries a column's value."""
    source = column.source
    text, plain = column.source_text(), source.plain_text.replace(VALUE, source.name)
    if not column.can_be_wide:
        return Field(text, plain, "null", column.is_quoted, column.nullable, source.most_octets)
    return Field(
        text,
        plain,
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
    """True where a text came with a NUL, or with a surrogate in UTF-8."""
    # one byte is found a hundred times as fast as two, and two ten times as fast as the pattern
    if b"\0" in value:
        return True
    if b"\\" in value and b"\\0" in value and _QUOTED_NUL.search(value):
        return True
    return b"\xed" in value and _SURROGATE.search(value) is not None


def without_quote_escapes(value: bytes) -> bytes:
    r"""The value with QUOTE()'s escape undone that COPY does not know: `\Z`."""
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
        # where the value is wide, the source may not see what is odd about it
        text = storable(text)
        return b"'" + text.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"
    if value is not None:
        return value
    return b"NULL" if bare is None else b"\\x" + bare.hex().encode()

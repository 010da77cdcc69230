"""The canonical text of floating-point numbers: the shortest decimal that is read as the value.

The servers write the same digits, but differ in when they use an exponent. The source's form is
the canonical one, and PostgreSQL is made to write it too.
"""

from collections.abc import Sequence

from extract.mysql.facts import ColumnFacts, DoubleWidths

SMALL_DOUBLES = "select concat(d), concat(abs(d) + 0e0) from ({}) as samples".format(
    " union all ".join(
        f"select {sample} as d"
        for sample in (
            *(f"-1.{'234567890123456'[:digits]}e-5" for digits in range(10, 16)),
            "-1.2345678901234567e-5",
            "-1.2345678901234567e-6",
            "-1.2345678901234567e-7",
            "-1.2345678901234567e-8",
        )
    )
)
"""Doubles whose texts without an exponent grow longer, one by one, in the source's session."""

CHARACTERS = 64
"""More characters than the text of any double has.

For a row of a GROUP_CONCAT() the servers assume 22, and cut off the end of a longer row.
"""

_DIGITS = """rtrim(abs("rounded ")::text, '0')"""
_LARGE_TEXT = (
    "coalesce((select case when {c} < 0 then '-' else '' end"
    f" || rtrim(left({_DIGITS}, 1) || '.' || substr({_DIGITS}, 2), '.')"
    """ || 'e' || length(abs("rounded ")::text) - 1"""
    """ from (select "value ", length(trunc(abs("value "))::text) as "size " from"""
    """ (select {c}::text::numeric as "value ") as "values ") as "sizes ","""
    """ lateral (values (round("value ", 15 - "size ")), (trunc("value ", 16 - "size ")),"""
    """ (trunc("value ", 16 - "size ")"""
    """ + sign("value ") * trunc(power(10::numeric, "size " - 16)))"""
    """) as "candidates " ("rounded ")"""
    """ where "rounded "::double precision = {c} limit 1), replace({c}::text, 'e+', 'e'))"""
)
"""The shortest decimal that is read as the double, even if it lies half way to the next double.

PostgreSQL does not use such a decimal, the source does: PostgreSQL writes 1e23 as
9.999999999999999e+22. A decimal with fewer digits than PostgreSQL's has at most 16, and lies
next to it.
"""
_TEXT = (
    "case when {c} = 0 then '0'"
    " when abs({c}) < 1e-4 and abs({c}) >= 1e-15 then {small}"
    " when {c} <> trunc({c}) and abs({c}) >= 1e15 then {c}::text::numeric::text"
    f" when abs({{c}}) >= 4e15 and abs({{c}}) < 1e41 then {_LARGE_TEXT}"
    " else replace({c}::text, 'e+', 'e') end"
)
_ZEROS = "{c}::text::numeric::text"

FLOAT_TEXT = (
    "cast(concat(if({c} < 0, '-', ''), if(abs({c}) >= 1e-15 and abs({c}) < 1e-4,"
    f" concat(abs({{c}}) * 1e15, 'e-15'), abs({{c}}) + 0e0)) as char({CHARACTERS}))"
)
"""A FLOAT as the source writes it: its own text has six digits, that of a sum has all digits."""
MIRRORED_FLOAT_TEXT = (
    "case when abs({c}::double precision) >= 1e-15 and abs({c}::double precision) < 1e-4"
    " then case when {c} < 0 then '-' else '' end"
    " || (abs({c}::double precision) * 1e15)::text || 'e-15'"
    f" else {_TEXT.format(c='{c}::double precision', small='null')} end"
)
"""The same text from the stored value."""


def measured_widths(samples: Sequence[tuple[str, str]]) -> DoubleWidths:
    """The widths that follow from the server's texts of SMALL_DOUBLES."""
    own, computed = zip(*samples, strict=True)
    return DoubleWidths(_width(own), _width(computed))


def _width(texts: Sequence[str]) -> int | None:
    without = [len(text) for text in texts if "e" not in text]
    return None if len(without) == len(texts) else max(without, default=0)


def source_text(facts: ColumnFacts, name: str) -> str:
    """The source's expression for the text of a DOUBLE, without the sign of a zero.

    A DOUBLE(M,D) is written as a sum, which shows all its digits. Any other DOUBLE is written as
    it is.
    """
    text = f"if({name} = 0, '0', {name})"
    if _is_shown_otherwise(facts):
        text = f"concat(if({name} < 0, '-', ''), abs({name}) + 0e0)"
    return f"cast({text} as char({CHARACTERS}))"


def mirror_text(facts: ColumnFacts, name: str) -> str:
    """PostgreSQL's expression for the same text, from the stored value."""
    zeros, width = _ZEROS.format(c=name), facts.double_widths.own
    measured = zeros
    if _is_shown_otherwise(facts):
        # the source computes it without a sign
        measured, width = _ZEROS.format(c=f"abs({name})"), facts.double_widths.computed
    small = zeros
    if width is not None:
        exponent = f"replace({name}::text, 'e-0', 'e-')"
        small = f"case when length({measured}) <= {width} then {zeros} else {exponent} end"
    return _TEXT.format(c=name, small=small)


def _is_shown_otherwise(facts: ColumnFacts) -> bool:
    """True if the text of a DOUBLE has fewer digits than its value, or leading zeros."""
    return "(" in facts.column_type or facts.shows_zeros

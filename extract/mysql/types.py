"""The one table of types: how each type of the source is read, stored and compared.

Every value has one canonical text. The source server writes it (`source_text`), PostgreSQL parses
it into `postgres`, and writes the same text again from what it stored (`mirror_text`). So the same
text is used for the landing file and for the digests. Other modules call `resolve`, which turns
what the catalog says about a column into what both sides need to know about it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from extract.column import VALUE, AtSource, Column, CursorKind, KeyKind
from extract.mysql import doubles, texts
from extract.mysql.facts import ColumnFacts
from extract.mysql.texts import NUL_PICTURE

VALID_DATE = "{c} >= '0001-01-01' and dayofmonth({c}) between 1 and dayofmonth(last_day({c}))"
"""True if a DATE or DATETIME is a day of the calendar that PostgreSQL can represent."""

SOURCE_OCTETS = "concat('\\\\x', hex({c}))"
MIRROR_OCTETS = "'\\x' || upper(encode({c}, 'hex') collate \"C\")"
"""The texts of bytes. LOWER() at the source would cost it more than HEX()."""

JSON_TEXT = "cast(convert(cast({c} as char) using utf8mb4) as binary)"
HIDDEN_JSON = "ifnull(octet_length({c}) = 0, false)"
"""True if MySQL cannot show a JSON value: one that is longer than max_allowed_packet."""


@dataclass(frozen=True)
class TypeRule:
    """How values of some types are read and stored.

    `{c}` stands for the quoted column, `{text}` for the UTF-8 bytes of its text, `{number}` for an
    integer without leading zeros.

    `fast_text` is a cheaper `source_text`, correct for rows without an anomaly. `key_kind` is None
    if a type cannot be a key, `cursor_kind` if it cannot be a cursor. `quoted` is true if the text
    may contain any character. `representable` is the predicate of a representable value, None if
    all are; other values become NULL, and an anomaly. `octets` is the expression for the bytes of a
    value, if the bytes are its value. `can_be_cut` is false if the text of a value is not that of
    its pieces. `equal_by_text` is true if PostgreSQL has no equality for the type, or one that
    equates different values.
    """

    data_types: tuple[str, ...]
    postgres: Callable[[ColumnFacts], str]
    source_text: str
    mirror_text: str
    key_kind: KeyKind | None = KeyKind.TEXT
    cursor_kind: CursorKind | None = None
    quoted: bool = False
    representable: str | None = None
    octets: str | None = None
    fast_text: str | None = None
    can_be_cut: bool = True
    equal_by_text: bool = False

    @property
    def can_be_wide(self) -> bool:
        """True if a value's text may be wider than the source's functions can write."""
        return self.quoted or self.octets is not None


def _integer(column: ColumnFacts) -> str:
    signed = {"tinyint": "smallint", "smallint": "smallint", "mediumint": "integer"}
    signed |= {"int": "integer", "bigint": "bigint", "year": "smallint"}
    unsigned = {"tinyint": "smallint", "smallint": "integer", "mediumint": "integer"}
    unsigned |= {"int": "bigint", "bigint": "numeric(20,0)", "year": "smallint"}
    return (unsigned if column.is_unsigned else signed)[column.data_type]


def _moment(timestamp: str, column: ColumnFacts) -> str:
    """PostgreSQL's expression for the text of a time, with the column's digits of a second."""
    if column.datetime_precision:
        return f"to_char({timestamp}, 'YYYY-MM-DD HH24:MI:SS.FF{column.datetime_precision}')"
    return f"{timestamp}::text"


def _time_fraction(column: ColumnFacts) -> int:
    """How many characters of `.US` the text of a TIME column has."""
    return column.datetime_precision + 1 if column.datetime_precision else 0


RULES = (
    TypeRule(
        data_types=("tinyint", "smallint", "mediumint", "int", "bigint"),
        postgres=_integer,
        source_text="{number}",
        mirror_text="{c}::text",
        key_kind=KeyKind.NUMBER,
        cursor_kind=CursorKind.NUMBER,
    ),
    TypeRule(
        data_types=("year",),
        postgres=_integer,
        source_text="{number}",
        mirror_text="{c}::text",
        key_kind=KeyKind.NUMBER,
    ),
    TypeRule(
        data_types=("bit",),
        postgres=lambda column: "numeric(20,0)" if column.precision == 64 else "bigint",
        source_text="{c} + 0",
        mirror_text="{c}::text",
        key_kind=KeyKind.NUMBER,
    ),
    TypeRule(
        data_types=("decimal",),
        postgres=lambda column: f"numeric({column.precision},{column.scale})",
        source_text="{c} + 0",
        mirror_text="{c}::text",
        key_kind=KeyKind.NUMBER,
        cursor_kind=CursorKind.NUMBER,
    ),
    TypeRule(
        data_types=("float",),
        postgres=lambda column: "real",
        source_text=doubles.FLOAT_TEXT,
        mirror_text=doubles.MIRRORED_FLOAT_TEXT,
        key_kind=None,
    ),
    TypeRule(
        data_types=("double",),
        postgres=lambda column: "double precision",
        source_text="{double}",
        mirror_text="{double}",
        key_kind=None,
    ),
    TypeRule(
        data_types=("date",),
        postgres=lambda column: "date",
        source_text=f"case when {VALID_DATE} then {{c}} end",
        mirror_text="{c}::text",
        fast_text="{c}",
        representable=VALID_DATE,
        key_kind=KeyKind.TIME,
    ),
    TypeRule(
        data_types=("datetime",),
        postgres=lambda column: f"timestamp({column.datetime_precision}) without time zone",
        source_text=f"case when {VALID_DATE} then {{c}} end",
        mirror_text="{moment}",
        fast_text="{c}",
        representable=VALID_DATE,
        key_kind=KeyKind.TIME,
        cursor_kind=CursorKind.LOCAL_TIME,
    ),
    TypeRule(
        data_types=("timestamp",),
        postgres=lambda column: f"timestamp({column.datetime_precision}) with time zone",
        source_text="case when {c} <> 0 then {c} end",
        mirror_text="{utc_moment}",
        fast_text="{c}",
        representable="{c} <> 0",
        key_kind=KeyKind.TIME,
        cursor_kind=CursorKind.TIME,
    ),
    TypeRule(
        data_types=("time",),
        postgres=lambda column: f"interval({column.datetime_precision})",
        source_text="{c}",
        mirror_text=(
            "case when {c} < interval '0' then '-' else '' end"
            " || to_char(greatest({c}, -{c}), 'HH24:MI:SS')"
            " || left(to_char(greatest({c}, -{c}), '.US'), {time_fraction})"
        ),
        key_kind=KeyKind.TIME,
        # PostgreSQL takes 24 hours and a day for equal
        equal_by_text=True,
    ),
    TypeRule(
        data_types=(
            "char",
            "varchar",
            "tinytext",
            "text",
            "mediumtext",
            "longtext",
        ),
        postgres=lambda column: "text",
        source_text="{text}",
        fast_text="{fast_text}",
        mirror_text="{c}",
        quoted=True,
    ),
    TypeRule(
        data_types=("enum",),
        postgres=lambda column: "text",
        source_text="{text}",
        fast_text="{fast_text}",
        mirror_text="{c}",
        # ordered by its members, while a comparison with a text is not
        key_kind=KeyKind.MEMBER,
        quoted=True,
    ),
    TypeRule(
        data_types=("set",),
        postgres=lambda column: "text",
        source_text="{text}",
        fast_text="{fast_text}",
        mirror_text="{c}",
        key_kind=KeyKind.MEMBERS,
        quoted=True,
    ),
    TypeRule(
        data_types=("json",),
        postgres=lambda column: "json",
        source_text=f"if({HIDDEN_JSON}, 'null', {JSON_TEXT})",
        fast_text=JSON_TEXT,
        mirror_text="{c}::text",
        quoted=True,
        can_be_cut=False,
        equal_by_text=True,
    ),
    TypeRule(
        data_types=("uuid",),
        postgres=lambda column: "uuid",
        source_text="cast({c} as char)",
        mirror_text="{c}::text",
    ),
    TypeRule(
        data_types=("inet4", "inet6"),
        postgres=lambda column: "text",
        source_text="cast({c} as char)",
        mirror_text="{c}",
    ),
    TypeRule(
        data_types=("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"),
        postgres=lambda column: "bytea",
        source_text=SOURCE_OCTETS,
        mirror_text=MIRROR_OCTETS,
        key_kind=KeyKind.BINARY,
        octets="{c}",
    ),
    TypeRule(
        data_types=(
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geometrycollection",
            "geomcollection",
        ),
        postgres=lambda column: "bytea",
        source_text=SOURCE_OCTETS,
        mirror_text=MIRROR_OCTETS,
        key_kind=None,
        octets="{c}",
    ),
    TypeRule(
        data_types=("vector",),
        postgres=lambda column: "bytea",
        source_text=SOURCE_OCTETS,
        mirror_text=MIRROR_OCTETS,
        key_kind=None,
        # MySQL sends a VECTOR as a separate type, which the driver would take for ASCII
        octets="cast({c} as binary)",
    ),
)

RULE_OF = {name: rule for rule in RULES for name in rule.data_types}


INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}


def resolve(facts: ColumnFacts) -> Column:
    """What both sides need to know about a column. Raises KeyError for a type without a rule."""
    rule = RULE_OF[facts.data_type]
    return Column(
        name=facts.name,
        source_type=facts.column_type,
        mirror_type=rule.postgres(facts),
        nullable=facts.nullable,
        facts=facts.definition,
        source=_at_source(facts, rule),
        canonical=rule.mirror_text.format(
            c=VALUE,
            moment=_moment(VALUE, facts),
            utc_moment=_moment(f"({VALUE} at time zone 'UTC')", facts),
            time_fraction=_time_fraction(facts),
            double=doubles.mirror_text(facts, VALUE),
        ),
        key_kind=rule.key_kind,
        cursor_kind=rule.cursor_kind,
        is_integer=facts.data_type in INTEGERS,
        is_case_blind=facts.is_case_blind,
        is_quoted=rule.quoted,
        can_be_wide=rule.can_be_wide,
        can_be_cut=rule.quoted and rule.can_be_cut,
        has_fast_text=rule.fast_text is not None,
        is_equal_by_text=rule.equal_by_text,
    )


def _at_source(facts: ColumnFacts, rule: TypeRule) -> AtSource:
    return AtSource(
        name=facts.quoted,
        text=_source_text(facts, rule),
        fast_text=_formatted(rule.fast_text or rule.source_text, facts),
        octets=(rule.octets or "{c}").format(c=facts.quoted),
        key_value=_key_value(facts, rule),
        # a SET is ordered by its number, but compared with a text by its text
        key_order=f"concat({facts.quoted})" if facts.data_type == "set" else facts.quoted,
        unrepresentable=_unrepresentable(facts, rule),
        odd_blank=_odd_blank(facts),
        no_unicode=texts.no_unicode(facts, VALUE),
        has_nul=texts.has_nul(facts, VALUE),
        most_octets=facts.octets,
        arrives_as_utf8=facts.charset in texts.UTF8,
        can_show_nothing="" in facts.members,
    )


def _source_text(facts: ColumnFacts, rule: TypeRule) -> str:
    """The source's expression for a value's canonical text."""
    text = _formatted(rule.source_text, facts)
    if "" in facts.members:
        pictured = f"concat_ws(',', '{NUL_PICTURE}', nullif({text}, ''))"
        return f"if({_odd_blank(facts)}, {pictured}, {text})"
    return text


def _formatted(template: str, facts: ColumnFacts) -> str:
    is_text = facts.charset is not None
    return template.format(
        c=VALUE,
        fast_text=texts.fast_text(facts, VALUE) if is_text else VALUE,
        text=texts.storable_text(facts, VALUE) if is_text else VALUE,
        number=f"{VALUE} + 0" if facts.shows_zeros else VALUE,
        double=doubles.source_text(facts, VALUE),
    )


def _unrepresentable(facts: ColumnFacts, rule: TypeRule) -> str | None:
    """The source's predicate for a value that becomes NULL in the mirror; None if none does."""
    if rule.representable is None:
        return None
    is_lost = f"ifnull(not ({rule.representable.format(c=facts.quoted)}), true)"
    return f"({facts.quoted} is not null and {is_lost})" if facts.nullable else is_lost


def _odd_blank(facts: ColumnFacts) -> str | None:
    """The source's predicate for a value that is shown as '' or as nothing and is neither.

    An ENUM with the number 0 is shown as '': its value was invalid when it was written. A SET
    whose first member is '' is shown as if it had no member there. A JSON value that is longer than
    max_allowed_packet is shown as ''. None if no value can be such.
    """
    if facts.data_type == "enum":
        return f"{facts.quoted} = 0"
    if facts.data_type == "json":
        return HIDDEN_JSON.format(c=facts.quoted)
    if "" in facts.members:
        bit = 1 << facts.members.index("")
        return f"({facts.quoted} & {bit} <> 0 and {facts.quoted} & {bit - 1} = 0)"
    return None


def _key_value(facts: ColumnFacts, rule: TypeRule) -> str:
    """The source's expression for a key's value as the driver passes it back into a WHERE."""
    if rule.key_kind is KeyKind.NUMBER:
        return f"{facts.quoted} + 0"
    if rule.key_kind is KeyKind.MEMBER:
        return f"cast({facts.quoted} as unsigned)"
    is_as_it_comes = rule.key_kind is KeyKind.BINARY or rule.quoted
    return facts.quoted if is_as_it_comes else f"cast({facts.quoted} as char)"

"""A column of a mirrored table, resolved once: what either side needs to know of it."""

from dataclasses import dataclass, field
from enum import Enum

VALUE = "\0"
"""Stands in an expression for the value it is of; no name and no statement holds it."""


class KeyKind(Enum):
    """How a key's value is written into a WHERE, and ordered.

    Both servers order the first three alike; TEXT is ordered by the source's collation, MEMBER by
    the place of the label in its list.
    """

    NUMBER = "number"
    TIME = "time"
    BINARY = "binary"
    TEXT = "text"
    MEMBER = "member"


class CursorKind(Enum):
    """What the values of a cursor column count."""

    NUMBER = "number"
    TIME = "time"
    LOCAL_TIME = "local time"
    """A time by the clock of whoever wrote it."""


@dataclass(frozen=True)
class AtSource:
    """The source's expressions over a column.

    `VALUE` stands in them for the value, or a part of it. `text` writes the canonical text,
    `plain_text` the same at less cost where no value of the row needs to be noted. `octets` is the
    value as the driver receives it without a function, for which nothing is too wide. `not_held` is
    the predicate of a value that becomes NULL in the mirror, `odd_blank` of a label that shows as
    what it is not, `no_unicode` of bytes that are no character, `has_nul` of the character NUL;
    each is None where no value can be such. `key_value` is a key's value as the driver hands it
    back into a WHERE, `key_order` what the key is ordered by.
    """

    name: str
    text: str
    plain_text: str
    octets: str
    key_value: str
    key_order: str
    not_held: str | None = None
    odd_blank: str | None = None
    no_unicode: str | None = None
    has_nul: str | None = None
    most_octets: int = 0
    """The most that a text can have, 0 for any number."""
    arrives_as_utf8: bool = False
    """True where a text's bytes are sent as they are stored."""
    can_show_nothing: bool = False
    """True where '' is one of the labels."""


@dataclass(frozen=True)
class Column:
    """A column as both sides know it.

    Every value has one canonical text: the source writes it (`source.text`), PostgreSQL parses it
    into `mirror_type` and writes it again from what it stored (`mirror_text`). `facts` are what
    the source's catalog says of the column, by which an altered one is known.
    """

    name: str
    source_type: str
    mirror_type: str
    nullable: bool
    facts: tuple[object, ...]
    source: AtSource = field(compare=False, repr=False)
    canonical: str = field(compare=False, repr=False)
    key_kind: KeyKind | None = None
    """None where the type cannot be part of a key."""
    cursor_kind: CursorKind | None = None
    """None where the type cannot be a cursor."""
    is_integer: bool = False
    is_quoted: bool = False
    """True where the text may hold any character."""
    can_be_wide: bool = False
    """True where a value's text may be wider than the source's functions can write."""
    can_be_cut: bool = False
    """True where the text of a value is that of its pieces, one after the other."""
    has_plain_text: bool = False
    """True where `source.plain_text` is another text than `source.text` for some values."""
    is_equal_by_text: bool = False
    """True where PostgreSQL has no equality, or one that takes two different values for equal."""

    @property
    def quoted(self) -> str:
        """The column's name in the mirror."""
        return quoted(self.name)

    def mirror_text(self, value: str | None = None) -> str:
        """PostgreSQL's expression of the canonical text of a mirrored value.

        `value` is an expression of a part of it, or of the column of a named relation.
        """
        return self.canonical.replace(VALUE, value or self.quoted)

    def source_text(self, value: str | None = None) -> str:
        """The source's expression of the same text, of what it holds."""
        return self.source.text.replace(VALUE, value or self.source.name)


def quoted(name: str) -> str:
    """An identifier for PostgreSQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """A literal for either server, of a text without backslashes.

    Statements with the source's names in them take no parameters, since a name may hold a %.
    """
    return "'" + value.replace("'", "''") + "'"

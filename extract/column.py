"""A column of a mirrored table, resolved once: what both sides need to know about it."""

from dataclasses import dataclass, field
from enum import Enum

from common.quoting import quoted

VALUE = "\0"
"""The placeholder for the value in an expression; no name and no statement contains it."""
LONG_OCTETS = 256
"""The digest of a row contains longer binary values by their own digest, which costs less than the
text of the bytes from about 100 bytes on."""


class KeyKind(Enum):
    """How a key's value is written into a WHERE clause and ordered.

    Both servers order the first three kinds alike. TEXT is ordered by a collation of each side. An
    ENUM (MEMBER) and a SET (MEMBERS) are ordered by the positions of their labels in a list.
    """

    NUMBER = "number"
    TIME = "time"
    BINARY = "binary"
    TEXT = "text"
    MEMBER = "member"
    MEMBERS = "members"


class CursorKind(Enum):
    """What the values of a cursor column count."""

    NUMBER = "number"
    TIME = "time"
    LOCAL_TIME = "local time"
    """A time by the clock of the session that wrote it."""


@dataclass(frozen=True)
class AtSource:
    """The source's expressions over a column.

    `VALUE` stands in them for the value, or a part of it. `text` writes the canonical text;
    `fast_text` writes the same text at less cost if no value of the row is an anomaly. `octets` is
    the value as the driver receives it without a function, for which no value is too wide.
    `unrepresentable` is true of a value that becomes NULL in the mirror, `odd_blank` of a value
    that is shown as '' or as nothing and is neither, `no_unicode` of bytes that are no character,
    `has_nul` of a text with the character NUL; each is None if the column can have no such value.
    `key_value` is a key's value as the driver passes it back into a WHERE clause, `key_order` the
    expression by which the key is ordered.
    """

    name: str
    text: str
    fast_text: str
    octets: str
    key_value: str
    key_order: str
    unrepresentable: str | None = None
    odd_blank: str | None = None
    no_unicode: str | None = None
    has_nul: str | None = None
    most_octets: int = 0
    """The largest number of octets of a text or a binary value; 0 if it has no limit."""
    arrives_as_utf8: bool = False
    """True if a text's bytes are sent as they are stored."""
    can_show_nothing: bool = False
    """True if '' is one of the labels."""


@dataclass(frozen=True)
class Column:
    """A column, with what each side needs to know about it.

    Every value has one canonical text: the source writes it (`source.text`), PostgreSQL parses it
    into `mirror_type` and writes it again from what it stored (`mirror_text`). `facts` is what the
    source's catalog says about the column; if they change, it was altered.
    """

    name: str
    source_type: str
    mirror_type: str
    nullable: bool
    facts: tuple[object, ...]
    source: AtSource = field(compare=False, repr=False)
    canonical: str = field(compare=False, repr=False)
    key_kind: KeyKind | None = None
    """None if the type cannot be part of a key."""
    cursor_kind: CursorKind | None = None
    """None if the type cannot be a cursor."""
    is_integer: bool = False
    is_case_blind: bool = field(default=False, compare=False)
    """True if the source takes texts that differ in case only for equal."""
    is_quoted: bool = False
    """True if the text may contain any character."""
    can_be_wide: bool = False
    """True if a value's text may be wider than the source's functions can write."""
    can_be_cut: bool = False
    """True for texts, if the text of a value is the concatenation of the texts of its pieces."""
    has_fast_text: bool = False
    """True if `source.fast_text` differs from `source.text` for some values."""
    is_equal_by_text: bool = False
    """True if PostgreSQL has no equality for the type, or one that equates different values."""

    @property
    def has_long_octets(self) -> bool:
        """True if a value may be bytes that a row's digest contains by their own digest."""
        is_binary = self.can_be_wide and not self.is_quoted
        return is_binary and not 0 < self.source.most_octets <= LONG_OCTETS

    @property
    def quoted(self) -> str:
        """The column's name in the mirror."""
        return quoted(self.name)

    def mirror_text(self, value: str | None = None) -> str:
        """PostgreSQL's expression for the canonical text of a mirrored value.

        `value` is an expression for a part of it, or for the column of a named relation.
        """
        return self.canonical.replace(VALUE, value or self.quoted)

    def source_text(self, value: str | None = None) -> str:
        """The source's expression for the canonical text of its own value."""
        return self.source.text.replace(VALUE, value or self.source.name)

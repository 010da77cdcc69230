"""What MySQL's catalog says about a column, from which the table of types resolves it."""

import re
from dataclasses import dataclass
from enum import Enum


class Dialect(Enum):
    """The kinds of servers whose functions for texts differ."""

    MARIADB = "MariaDB"
    MYSQL = "MySQL 8 or newer"
    OLD_MYSQL = "MySQL 5"


@dataclass(frozen=True)
class DoubleWidths:
    """The longest text that a server writes of a small DOUBLE before it uses an exponent.

    For a DOUBLE of a column, and for a computed one; None if it never uses an exponent.
    """

    own: int | None = None
    computed: int | None = None


@dataclass(frozen=True)
class ColumnFacts:
    """A column as information_schema describes it, and the kind of the server."""

    name: str
    data_type: str
    column_type: str
    precision: int
    scale: int
    datetime_precision: int
    nullable: bool
    charset: str | None = None
    octets: int = 0
    """The most octets of a text value, in its own character set."""
    is_case_blind: bool = False
    """True if texts that differ in case only are equal."""
    dialect: Dialect = Dialect.MARIADB
    double_widths: DoubleWidths = DoubleWidths()

    @property
    def definition(self) -> tuple[object, ...]:
        """The properties of the column that an ALTER changes."""
        return (
            self.name,
            self.data_type,
            self.column_type,
            self.precision,
            self.scale,
            self.datetime_precision,
            self.nullable,
            self.charset,
        )

    @property
    def shows_zeros(self) -> bool:
        """True if leading zeros are shown, which are not part of the value."""
        return "zerofill" in self.column_type or self.data_type == "year"

    @property
    def is_unsigned(self) -> bool:
        return "unsigned" in self.column_type

    @property
    def members(self) -> list[str]:
        """The labels of an ENUM or a SET, in lower case."""
        if self.data_type not in ("enum", "set"):
            return []
        quoted = re.findall("'((?:[^']|'')*)'", self.column_type)
        return [label.replace("''", "'") for label in quoted]

    @property
    def quoted(self) -> str:
        """The column's name at the source."""
        return quoted_source(self.name)


def quoted_source(name: str) -> str:
    """An identifier for MariaDB or MySQL."""
    return "`" + name.replace("`", "``") + "`"

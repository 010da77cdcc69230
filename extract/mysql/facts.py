"""What MySQL's catalog says of a column, from which the table of types resolves it."""

import re
from dataclasses import dataclass
from enum import Enum


class Dialect(Enum):
    """The kinds of servers whose functions differ where a text is read."""

    MARIADB = "MariaDB"
    MYSQL = "MySQL 8 or newer"
    OLD_MYSQL = "MySQL 5"


@dataclass(frozen=True)
class DoubleWidths:
    """In how many characters a server writes a small DOUBLE at most before it takes an exponent.

    That of a column, and one that was computed; None where it never takes one.
    """

    own: int | None = None
    computed: int | None = None


@dataclass(frozen=True)
class ColumnFacts:
    """A column as information_schema describes it, and the server that does."""

    name: str
    data_type: str
    column_type: str
    precision: int
    scale: int
    datetime_precision: int
    nullable: bool
    charset: str | None = None
    octets: int = 0
    """What a text value can have at most, in its own character set."""
    dialect: Dialect = Dialect.MARIADB
    double_widths: DoubleWidths = DoubleWidths()

    @property
    def told(self) -> tuple[object, ...]:
        """What an ALTER of the column changes."""
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
        """True where leading zeros are shown, which are display and not data."""
        return "zerofill" in self.column_type or self.data_type == "year"

    @property
    def is_unsigned(self) -> bool:
        return "unsigned" in self.column_type

    @property
    def members(self) -> list[str]:
        """The labels of an ENUM or a SET, in small letters."""
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

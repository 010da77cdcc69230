"""Random values of every type, and what the text of each server says of them.

Nothing of the extract is used here: the source is asked with expressions of the tests' own, and
the texts of both sides are understood in Python.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import isfinite
from random import Random
from uuid import UUID

from tests.sources.choice import IS_MARIADB

HOSTILE = "'\"\\\n\r\t\x1a\b,;:%{}`#-0NVZ"
ASCII = "abcXYZ 019" + HOSTILE
LATIN1 = ASCII + "éßÿ€™"
BMP = LATIN1 + "ŁшΩ漢한ש\u0301\u2028\ufeff\uffff"
UNICODE = BMP + "𝄞😀\U0010ffff"
WORDS = ("", "NULL", r"\N", "\\.", "''", "\\", " ", "a ", "null")

LARGEST_REAL = 10**15
"""Beyond it the two servers may write the same number in two ways."""

Meaning = Callable[[str], object]


@dataclass(frozen=True)
class Kind:
    """A type: the literal of a random value, and what each side's text of it says.

    `ask` is the expression with which the source is asked, `odd` its predicate of values that must
    be noted, besides those that mean nothing to Python.
    """

    column: str
    literal: Callable[[Random], str]
    source: Meaning
    mirror: Meaning
    ask: str = "cast({c} as char)"
    odd: str = "false"


def integers(column: str, lowest: int, highest: int) -> Kind:
    def literal(chance: Random) -> str:
        bound = 1 << chance.randrange(highest.bit_length() + 1)
        value = chance.choice((lowest, highest, chance.randint(-bound, bound)))
        return str(min(max(value, lowest), highest))

    return Kind(column, literal, int, int)


def bits(width: int) -> Kind:
    return Kind(
        f"bit({width})",
        lambda chance: f"b'{chance.getrandbits(width):b}'",
        lambda text: int(text, 2),
        int,
        ask="bin({c})",
    )


def decimals(column: str, digits: int, scale: int, signs: tuple[str, ...] = ("", "-")) -> Kind:
    def literal(chance: Random) -> str:
        number = str(chance.randrange(10 ** chance.randint(0, digits))).rjust(scale + 1, "0")
        whole, fraction = number[: len(number) - scale], number[len(number) - scale :]
        return f"{chance.choice(signs)}{whole}.{fraction}"

    return Kind(column, literal, exact_decimal, exact_decimal)


def exact_decimal(text: str) -> str:
    """A decimal and its scale; a zero has no sign."""
    value = Decimal(text)
    return f"{value.copy_abs() if value.is_zero() else value:f}"


def floats(column: str) -> Kind:
    """FLOAT: its own text at the source has six digits, that of its product with 1e0 has all."""
    return Kind(
        column, lambda chance: _real(chance, "f"), single, single, ask="cast({c} * 1e0 as char)"
    )


def single(text: str) -> float:
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def doubles(column: str) -> Kind:
    """DOUBLE: its own text shows as many digits as it was declared with, its product's all.

    But for MySQL, which cuts the text of what it computes.
    """
    ask = "cast({c} as char)" if column == "double" else "cast({c} * 1e0 as char)"
    return Kind(column, lambda chance: _real(chance, "d"), float, float, ask=ask)


def _real(chance: Random, code: str) -> str:
    """A number by its bits, or one with few digits."""
    if chance.random() < 0.5:
        return f"{chance.randint(-(10**6), 10**6)}e{chance.randint(-20, 8)}"
    while True:
        octets = chance.randbytes(struct.calcsize(code))
        (value,) = struct.unpack(code, octets)
        if isfinite(value) and abs(value) < LARGEST_REAL:
            return repr(value)


def dates() -> Kind:
    return Kind("date", lambda chance: f"'{_day(chance)}'", _date, _date)


def _day(chance: Random) -> str:
    """A day of the calendar, or in one case of five what MariaDB takes for one."""
    if chance.random() < 0.8:
        return str(date.fromordinal(chance.randint(1, date.max.toordinal())))
    year, month, day = chance.randint(0, 9999), chance.randint(0, 12), chance.randint(0, 31)
    return f"{year:04}-{month:02}-{day:02}"


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def datetimes(digits: int) -> Kind:
    def literal(chance: Random) -> str:
        return f"'{_day(chance)} {_clock(chance, 23, digits)}'"

    return Kind(f"datetime({digits})", literal, _moment, _moment)


def _clock(chance: Random, hours: int, digits: int) -> str:
    hour, minute, second = chance.randint(0, hours), chance.randint(0, 59), chance.randint(0, 59)
    fraction = f".{chance.randrange(10**digits):0{digits}}" if digits else ""
    return f"{hour:02}:{minute:02}:{second:02}{fraction}"


def _moment(text: str) -> datetime | None:
    day, _, fraction = text.partition(".")
    try:
        return datetime.fromisoformat(day).replace(microsecond=int(fraction.ljust(6, "0")))
    except ValueError:
        return None


def timestamps(digits: int) -> Kind:
    def literal(chance: Random) -> str:
        if chance.random() < 0.1:
            return "0"
        whole = datetime.fromtimestamp(chance.randint(1, 2**31 - 1), UTC)
        fraction = f".{chance.randrange(10**digits):0{digits}}" if digits else ""
        return f"'{whole:%Y-%m-%d %H:%M:%S}{fraction}'"

    def mirror(text: str) -> datetime | None:
        assert text.endswith("+00"), text
        return _moment(text.removesuffix("+00"))

    return Kind(f"timestamp({digits}) null", literal, _moment, mirror)


def times(digits: int) -> Kind:
    def literal(chance: Random) -> str:
        return f"'{chance.choice(('', '-'))}{_clock(chance, 837, digits)}'"

    return Kind(f"time({digits})", literal, _duration, _duration)


def _duration(text: str) -> timedelta:
    hours, minutes, seconds = text.removeprefix("-").split(":")
    micros = int(Decimal(seconds) * 10**6)
    length = timedelta(hours=int(hours), minutes=int(minutes), microseconds=micros)
    return -length if text.startswith("-") else length


def texts(column: str, alphabet: str, longest: int = 12) -> Kind:
    def literal(chance: Random) -> str:
        text = "".join(chance.choices(alphabet, k=chance.randint(0, longest)))
        if chance.random() < 0.2:
            text = chance.choice(WORDS)
        return f"_utf8mb4 x'{text.encode().hex()}'"

    return Kind(column, literal, str, str)


def sets(column: str, count: int) -> Kind:
    """SET by its number."""
    return Kind(column, lambda chance: str(chance.randint(0, count)), str, str)


def enums(column: str, count: int, invalid: str) -> Kind:
    """ENUM by its number; in a session that is not strict it has a number 0 too, for the invalid
    ones."""
    return Kind(
        column,
        lambda chance: str(chance.randint(0, count)),
        str,
        str,
        ask=f"if({{c}} = 0, '{invalid}', cast({{c}} as char))",
        odd="{c} = 0",
    )


def points() -> Kind:
    """POINT: four bytes of SRID, then WKB."""

    def literal(chance: Random) -> str:
        at = f"point({_real(chance, 'd')}, {_real(chance, 'd')})"
        return f"st_geomfromwkb(st_aswkb({at}), {chance.choice((0, 4326 if IS_MARIADB else 3857))})"

    return Kind(
        "point",
        literal,
        bytes.fromhex,
        lambda text: bytes.fromhex(text.removeprefix("\\x")),
        ask="hex({c})",
    )


def octets(column: str, longest: int) -> Kind:
    return Kind(
        column,
        lambda chance: f"x'{chance.randbytes(chance.randint(0, longest)).hex()}'",
        bytes.fromhex,
        lambda text: bytes.fromhex(text.removeprefix("\\x")),
        ask="hex({c})",
    )


def documents() -> Kind:
    def literal(chance: Random) -> str:
        text = "".join(chance.choices(UNICODE, k=chance.randint(0, 6)))
        value = chance.choice((text, {text: [text, None, 1.50]}, [], chance.random(), True))
        written = json.dumps(value, ensure_ascii=chance.random() < 0.5)
        return f"_utf8mb4 x'{written.encode().hex()}'"

    return Kind("json", literal, str, str)


def addresses(column: str, width: int) -> Kind:
    maker = IPv4Address if width == 4 else IPv6Address
    return Kind(
        column,
        lambda chance: f"'{maker(chance.randbytes(width))}'",
        ip_address,
        ip_address,
    )


def uuids() -> Kind:
    return Kind("uuid", lambda chance: f"'{UUID(bytes=chance.randbytes(16))}'", UUID, UUID)


KINDS = {
    "tinyint": integers("tinyint", -128, 127),
    "flag": integers("tinyint(1)", -128, 127),
    "tiny_unsigned": integers("tinyint unsigned", 0, 255),
    "small": integers("smallint", -32768, 32767),
    "medium_unsigned": integers("mediumint unsigned", 0, 2**24 - 1),
    "whole": integers("int", -(2**31), 2**31 - 1),
    "whole_unsigned": integers("int unsigned", 0, 2**32 - 1),
    "zerofill": integers("int(8) zerofill", 0, 2**32 - 1),
    "big": integers("bigint", -(2**63), 2**63 - 1),
    "big_unsigned": integers("bigint unsigned", 0, 2**64 - 1),
    "year": integers("year", 1901, 2155),
    "bit_1": bits(1),
    "bit_33": bits(33),
    "bit_64": bits(64),
    "amount": decimals("decimal(10,2)", 10, 2),
    "amount_unsigned": decimals("decimal(12,4) unsigned", 12, 4, ("",)),
    "longest_decimal": decimals("decimal(65,30)", 65, 30),
    "share": decimals("decimal(38,38)", 38, 38),
    "single": floats("float"),
    "real": doubles("double"),
    "another_real": doubles("double"),
    "shown_real": doubles("double(20,6)"),
    "day": dates(),
    "at": datetimes(0),
    "at_millis": datetimes(3),
    "at_micros": datetimes(6),
    "stamp": timestamps(0),
    "stamp_micros": timestamps(6),
    "lasting": times(0),
    "lasting_tenths": times(1),
    "lasting_micros": times(6),
    "letters": texts("char(12)", UNICODE),
    "words": texts("varchar(40)", UNICODE),
    "old_words": texts("varchar(40) character set latin1", LATIN1),
    "wide_words": texts("varchar(40) character set ucs2", BMP),
    "pairs": texts("varchar(40) character set utf16", UNICODE),
    "three_bytes": texts("varchar(40) character set utf8mb3", BMP),
    "exact_words": texts("varchar(40) collate utf8mb4_bin", UNICODE),
    "tale": texts("text", UNICODE, 60),
    "long_tale": texts("longtext", BMP, 300),
    "kind": enums("enum('a','B','it''s','NULL','é','')", 6, invalid="\u2400"),
    "size": enums("enum('s','m','l')", 3, invalid=""),
    "marks": sets("set('x','y','z','it''s','NULL')", 31),
    "document": documents(),
    "uuid": uuids(),
    "host": addresses("inet4", 4),
    "network": addresses("inet6", 16),
    "digest": octets("binary(8)", 8),
    "token": octets("varbinary(40)", 40),
    "picture": octets("blob", 60),
    "place": points(),
}
"""A column of each type, by its name."""
if not IS_MARIADB:
    for alone in ("uuid", "host", "network", "share"):
        del KINDS[alone]


def insert_of_random_rows(
    chance: Random, table: str, kinds: dict[str, Kind], keys: list[str]
) -> str:
    """The INSERT of a row for each key; one value in ten is NULL."""
    rows = []
    for key in keys:
        values = [
            "null" if chance.random() < 0.1 else kind.literal(chance) for kind in kinds.values()
        ]
        rows.append(f"({key}, {', '.join(values)})")
    return f"insert into {table} values {', '.join(rows)}"

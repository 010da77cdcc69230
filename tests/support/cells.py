"""Edge values of every type of the source, and what the mirror must hold of each.

`CELLS` says for each type its values as the source's literals, and the text in which PostgreSQL
gives them back. The source's session allows invalid dates and is not strict, like those of old
applications.
"""

from dataclasses import dataclass

from tests.sources.choice import IS_MARIADB
from tests.support.shapes import Shape, collection, line, multi, multipoint, point, polygon


@dataclass(frozen=True)
class Noted:
    """What stands in the mirror for a value that it cannot hold, and that must be an anomaly."""

    held: str | None = None


Values = dict[str, str | Noted]


def same(*texts: str) -> Values:
    """Numbers whose literal and text are one."""
    return {text: text for text in texts}


def quoted(*texts: str) -> Values:
    """Values whose text is their literal between quotes."""
    return {f"'{text}'": text for text in texts}


def noted(*texts: str) -> Values:
    """Values between quotes of which the mirror can hold nothing."""
    return {f"'{text}'": Noted() for text in texts}


def characters(*texts: str) -> Values:
    """Texts of any characters, written as their bytes; the mirror pictures NUL."""
    return {
        f"_utf8mb4 x'{text.encode().hex()}'": (
            Noted(text.replace("\0", "\u2400")) if "\0" in text else text
        )
        for text in texts
    }


def octets(*digits: str, width: int = 0) -> Values:
    """Bytes, in hexadecimal; those of a BINARY are filled up with zeros to its width."""
    return {f"x'{hexed}'": "\\x" + hexed.ljust(2 * width, "0") for hexed in digits}


def bits(width: int) -> Values:
    """No bit, the lowest, the highest, and all of them."""
    return {f"b'{value:b}'": str(value) for value in {0, 1, 1 << width - 1, (1 << width) - 1}}


MARKERS = ("", "NULL", "null", "N", r"\N", "''", "'", '"', "\\", "\\\\", r"\'", ",", "\t")
"""What a CSV, a COPY or a digest could take for something else."""
LINES = ("\n", "\r", "\r\n", "a\n\\.\nb", "\\.\n", "a\r\nb\n", "x\x1ay", r"\Z \0 \b \n")
LINES += ("\b\f\v\x7f",)
BLANKS = (" ", "a ", " a", "a  b", "\u00a0", "%s %(a)s %%", "`{{ a }}`", "V1:a", "V0:,N,")
BMP = ("é", "e\u0301", "Straße", "İ\u0131\u017fK", "שלום", "\ufeffa", "\ufffd", "\uffff", "漢字")
BMP += ("한글", "\u2028", "\u200d")
ASTRAL = ("𝄞", "\U0001f1e7\U0001f1ea", "\U0010ffff", "a𝄞\\'\n")
WITH_NUL = ("\0", "a\0b", "\0\0", "\\0\0\\", "'\0'")
TEXTS = MARKERS + LINES + BLANKS + BMP + ASTRAL + WITH_NUL
CHAR_TEXTS = tuple(text for text in TEXTS if not text.endswith(" "))
"""Texts for CHAR, which the server gives without the blanks at their end."""
EVERY_BYTE = bytes(range(256)).hex()
OCTETS = ("", "00", "ff", "20", "5c", "27", "1a", "0a", "0d0a", "5c4e", "5c78", "4e554c4c")
OCTETS += ("5c2e0a", "c328", "eda080", "f0288cbc", "00000000", "61000061", EVERY_BYTE)

DATES = quoted("0001-01-01", "0999-12-31", "1000-01-01", "1582-10-04", "1582-10-10", "1582-10-15")
DATES |= quoted("1900-02-28", "1970-01-01", "2000-02-29", "2024-02-29", "2024-12-31", "9999-12-31")
NO_DATES = noted("0000-00-00", "0000-01-01", "0000-12-31", "2024-00-00", "2024-00-15", "2024-01-00")
NO_DATES |= noted("2024-02-30", "2023-02-29", "1900-02-29", "2024-04-31", "0000-02-29")
NO_MOMENTS = noted("0000-00-00 00:00:00", "2024-00-00 12:00:00", "2023-02-29 23:59:59")
NO_MOMENTS |= noted("0000-00-00 00:00:01", "2024-06-31 00:00:00", "0000-06-15 12:00:00")

NUMBERS: dict[str, Values] = {
    "tinyint": same("-128", "-1", "0", "1", "127"),
    "tinyint(1)": same("-128", "-1", "0", "1", "2", "127") | {"true": "1"},
    "tinyint unsigned": same("0", "127", "128", "255"),
    "tinyint(3) zerofill": same("0", "7", "255"),
    "smallint": same("-32768", "-1", "0", "32767"),
    "smallint unsigned": same("0", "32768", "65535"),
    "mediumint": same("-8388608", "-1", "0", "8388607"),
    "mediumint unsigned": same("0", "8388608", "16777215"),
    "int": same("-2147483648", "-1", "0", "2147483647"),
    "int unsigned": same("0", "2147483648", "4294967295"),
    "int(8) zerofill": same("0", "42", "4294967295"),
    "bigint": same("-9223372036854775808", "-9007199254740993", "-1", "0", "9007199254740993")
    | same("9223372036854775807"),
    "bigint unsigned": same("0", "9223372036854775807", "9223372036854775808")
    | same("18446744073709551614", "18446744073709551615"),
    "bigint(20) zerofill": same("0", "42", "18446744073709551615"),
    **{f"bit({width})": bits(width) for width in (1, 2, 7, 8, 9, 31, 32, 33, 62, 63, 64)},
    "year": same("0", "1901", "1970", "2000", "2155") | {"'00'": "2000", "70": "1970"},
    "decimal(1,0)": same("-9", "0", "9"),
    "decimal(10,2)": same("-99999999.99", "-0.10", "-0.01", "0.00", "0.01", "99999999.99")
    | {"-0.00": "0.00", "1": "1.00", "0.005": "0.01"},
    "decimal(10,2) unsigned": same("0.00", "99999999.99"),
    "decimal(10,2) zerofill": same("0.00", "1.50", "99999999.99"),
    "decimal(65,0)": same("9" * 65, "-" + "9" * 65, "0", "1" + "0" * 64),
    "decimal(38,38)": same("0." + "9" * 38, "-0." + "9" * 38, "0." + "0" * 37 + "1"),
    "decimal(65,30)": same(f"{'9' * 35}.{'9' * 30}", f"-{'9' * 35}.{'9' * 30}")
    | same("12345678901234567890123456789012345." + "0" * 29 + "1"),
    "float": {
        **same("0", "1", "-1", "0.1", "-0.3", "0.5", "3.1415927", "100000", "999999", "123456"),
        **same("0.0001", "0.00012345678", "1e-05", "1e+06", "1.234567e+06", "1.6777216e+07"),
        **same("1.1754944e-38", "1e-45", "3.4028233e+38", "-3.4028233e+38", "1e+10", "1e+20"),
        "-0e0": "0",
        "16777217": "1.6777216e+07",
        "3.4028235e38": "3.4028235e+38",
        "0.1000000014901161": "0.1",
    },
    "float unsigned": same("0", "0.1", "3.4028233e+38"),
    "float(7,3)": {"1.5": "1.5", "-9999.999": "-9999.999", "0.0004": "0"},
    "double": {
        **same("0", "1", "-1", "0.1", "-0.3", "0.30000000000000004", "1.23456789012345e+300"),
        **same("0.0001", "0.00011", "1e-05", "1e-12", "1e-14", "1e-15", "9e-16", "1.5e-15"),
        **same("9.99999999999999e-05", "9.999999999999999e-05", "0.00012345678901234567"),
        **same("1234567890.123456", "99999999999999", "100000000000000", "123456789012345"),
        **same("1e+15", "1.5e+15", "1e+16", "1e+20", "1e+21", "1e+22", "1e+100"),
        **same("-5e-324", "2.2250738585072014e-308", "2.225073858507201e-308"),
        **same("1.7976931348623157e+308", "-1.7976931348623157e+308", "5e-324"),
        **same("-2.2250738585072014e-308", "-3.156849142691855e-190", "-1.8544854797635286e-15"),
        **same("-1.2345678901234568e-05", "1.2345678901234567e-08", "-1.2345678901234567e-11"),
        "-0e0": "0",
        # one double each, in the shortest digits of MariaDB and in those of PostgreSQL
        "1e23": "9.999999999999999e+22",
        "531446584013092000e0": "5.3144658401309197e+17",
        "9007199254740991": "9.007199254740991e+15",
        "9007199254740992e0": "9.007199254740992e+15",
        "9007199254740993": "9.007199254740992e+15",
        "-9007199254740994e0": "-9.007199254740994e+15",
        "123456789012345.67e0": "123456789012345.67",
        "18446744073709551615e0": "1.8446744073709552e+19",
    },
    "double unsigned": same("0", "0.1", "1.7976931348623157e+308"),
    "double zerofill": same("0", "1.5", "1e+100"),
    "double(12,3)": {"1.5": "1.5", "-123456789.125": "-123456789.125", "0.0004": "0"},
    # rounded to so many digits, and not to the double that is nearest to them
    "double(20,6)": {"-0.000006": "-5.999999999950489e-06", "0.000006": "6e-06"},
}

MOMENTS: dict[str, Values] = {
    "date": DATES | NO_DATES,
    "datetime": NO_MOMENTS
    | quoted("0001-01-01 00:00:00", "0999-06-15 12:00:00", "1000-01-01 00:00:00")
    | quoted("2024-03-31 02:30:00", "2024-10-27 02:30:00", "9999-12-31 23:59:59")
    | {"'2024-01-01'": "2024-01-01 00:00:00"},
    "datetime(1)": quoted("2024-01-01 00:00:00", "2024-01-01 00:00:00.1", "9999-12-31 23:59:59.9"),
    "datetime(2)": quoted("2024-01-01 00:00:00.01", "9999-12-31 23:59:59.99"),
    "datetime(3)": quoted("2024-01-01 00:00:00.001", "9999-12-31 23:59:59.999")
    | {"'2024-01-01 00:00:00.100'": "2024-01-01 00:00:00.1"},
    "datetime(4)": quoted("2024-01-01 00:00:00.0001", "9999-12-31 23:59:59.9999"),
    "datetime(5)": quoted("2024-01-01 00:00:00.00001", "9999-12-31 23:59:59.99999"),
    "datetime(6)": noted("0000-00-00 00:00:00.000001", "2024-02-30 00:00:00.5")
    | quoted("0001-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999")
    | quoted("2024-10-27 01:30:00.000001", "9999-12-31 23:59:59.999999"),
    "timestamp null": {
        f"'{text}'": f"{text}+00"
        for text in (
            *("1970-01-01 00:00:01", "2001-09-09 01:46:40", "2038-01-19 03:14:07"),
            *("2024-03-31 00:59:59", "2024-03-31 01:00:00", "2024-03-31 02:30:00"),
            *("2024-10-27 00:30:00", "2024-10-27 01:30:00"),
        )
    }
    | {"0": Noted(), "'0000-00-00 00:00:00'": Noted()},
    "timestamp(3) null": {"'2024-03-31 01:30:00.125'": "2024-03-31 01:30:00.125+00"},
    "timestamp(6) null": {
        "'1970-01-01 00:00:00.000001'": "1970-01-01 00:00:00.000001+00",
        "'2038-01-19 03:14:07.999999'": "2038-01-19 03:14:07.999999+00",
        "'2024-10-27 00:30:00.5'": "2024-10-27 00:30:00.5+00",
        "0": Noted(),
    },
    "time": quoted("00:00:00", "00:00:01", "-00:00:01", "23:59:59", "24:00:00", "-24:00:00")
    | quoted("99:59:59", "100:00:00", "838:59:59", "-838:59:59", "-100:30:00"),
    "time(1)": quoted("00:00:00.1", "-00:00:00.1", "838:59:59.9", "-838:59:59.9"),
    "time(2)": quoted("00:00:00.01", "-12:34:56.78"),
    "time(3)": quoted("00:00:00.001", "-838:59:59.999") | {"'00:00:00.100'": "00:00:00.1"},
    "time(4)": quoted("00:00:00.0001", "-12:34:56.7891"),
    "time(5)": quoted("00:00:00.00001", "-12:34:56.78912"),
    "time(6)": quoted("00:00:00.000001", "-00:00:00.000001", "838:59:59.999999")
    | quoted("-838:59:59.999999", "-00:30:00.500001", "100:00:00.25", "00:00:00"),
}

TEXT_TYPES: dict[str, Values] = {
    "char(12)": characters(*CHAR_TEXTS) | {"'ab   '": "ab", "'   '": ""},
    "varchar(60)": characters(*TEXTS),
    "varchar(60) character set utf8mb3": characters(*MARKERS, *LINES, *BLANKS, *BMP, "a\0b"),
    "varchar(60) character set ucs2": characters(*MARKERS, *LINES, *BLANKS, *BMP, "a\0b"),
    "varchar(60) character set utf16": characters(*TEXTS),
    "varchar(60) character set utf16le": characters(*ASTRAL, *BMP, "\\'", "a\0b"),
    "varchar(60) character set utf32": characters(*ASTRAL, *BMP, "\\'", "a\0b"),
    "varchar(60) collate utf8mb4_bin": characters(*BLANKS, *BMP, *ASTRAL),
    "varchar(60) character set latin1": characters("é€“™ÿ", "a\0'", "\\", "'", "ÃŸ")
    | {"_latin1 x'80818d8f909d'": "€\u0081\u008d\u008f\u0090\u009d"},
    "char(5) character set ascii": characters("", "NULL", "\\'", "\n"),
    "varchar(60) character set sjis": characters("漢字", "表示", "ソ", "\\~", "'\\", "ｶﾅ"),
    "varchar(60) character set cp932": characters("漢字", "①", "表", "'\\"),
    "varchar(60) character set gbk": characters("漢字", "縗", "'\\", "運"),
    "varchar(60) character set big5": characters("漢字", "功", "許", "'\\"),
    "varchar(60) character set euckr": characters("한글", "'\\"),
    "varchar(60) character set eucjpms": characters("漢字", "ｶﾅ", "'\\"),
    "varchar(60) character set cp1251": characters("Привет", "Ђ€", "'\\"),
    "varchar(60) character set koi8r": characters("Привет", "─", "'\\"),
    "varchar(60) character set latin2": characters("Łódź", "'\\"),
    "varchar(60) character set swe7": characters("ÅÄÖ", "'"),
    "varchar(60) compressed": characters("", "NULL", "a" * 60, "\\'\n"),
    "nvarchar(20)": characters("é", "NULL", ""),
    "tinytext": characters(*MARKERS, *LINES, "a" * 255, "a\0"),
    "text": characters(*MARKERS, *LINES, *WITH_NUL)
    | {"repeat('é', 30000)": "é" * 30000}
    # long texts are quoted in another way, which has an escape of its own for this one
    | {"concat(_utf8mb4 x'1a', repeat('z', 2000))": "\x1a" + "z" * 2000},
    "mediumtext": characters(*ASTRAL, *WITH_NUL) | {"repeat('𝄞', 50000)": "𝄞" * 50000},
    "longtext": characters(*MARKERS, *BLANKS) | {r"repeat('a\n''', 700000)": "a\n'" * 700000},
    "longtext collate utf8mb4_bin": characters(*LINES, *ASTRAL),
    "enum('a','B c','it''s','NULL','\\\\','é','1','0')": {
        **quoted("a", "B c", "it''s", "NULL", "1", "0"),
        "'it''s'": "it's",
        r"'\\'": "\\",
        "'É'": "é",
        "1": "a",
        "8": "0",
        # an invalid value: it shows as '' and has the number 0
        "'nope'": Noted(""),
        "''": Noted(""),
        "0": Noted(""),
    },
    "enum('x','')": {"1": "x", "''": "", "2": "", "'?'": Noted("\u2400"), "0": Noted("\u2400")},
    "enum('''','')": {"1": "'", "''": "", "0": Noted("\u2400")},
    "enum('''',',') character set latin1": {"1": "'", "2": ",", "0": Noted("")},
    "enum('щ','漢') character set utf8mb3": quoted("щ", "漢") | {"0": Noted("")},
    "set('x','y','z','it''s','NULL')": {
        **quoted("", "x", "x,z", "NULL", "x,y,z"),
        "'z,x,x'": "x,z",
        "'it''s,z'": "z,it's",
        "'nope,y'": "y",
        "31": "x,y,z,it's,NULL",
        "'nope'": "",
        "0": "",
    },
    "set('x','','y')": {
        **{"0": "", "1": "x", "3": "x,", "4": "y", "5": "x,y", "7": "x,,y"},
        **{"2": Noted("\u2400"), "6": Noted("\u2400,y")},
    },
    f"set({','.join(repr(f'm{number}') for number in range(64))})": {
        "9223372036854775808": "m63",
        "18446744073709551615": ",".join(f"m{number}" for number in range(64)),
    },
    "json": {
        f"'{text.replace(chr(92), chr(92) * 2)}'": text
        for text in (
            *('{"a": 1, "a": ["\\u0000", null]}', "{}", "[]", "null", '"NULL"', '""', " {} "),
            *('{"b":2,  "a":1}', "1e400", "0.10", "123456789012345678901234567890", "true"),
            *('"\\ud83d\\ude00"', '"😀"', '"a\\nb"', '"\\\\N"', "[[[[[]]]]]"),
        )
    },
    "uuid": quoted("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
    | quoted("123e4567-e89b-12d3-a456-426655440000", "018f0000-0000-7000-8000-000000000001")
    | {"'123E4567E89B42D3A456426655440000'": "123e4567-e89b-42d3-a456-426655440000"},
    "inet4": quoted("0.0.0.0", "127.0.0.1", "192.0.2.1", "255.255.255.255"),
    "inet6": quoted("::", "::1", "::ffff:192.0.2.1", "2001:db8::ff00:42:8329", "fe80::1")
    | {"'FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF'": "ffff:" * 7 + "ffff"},
}

OCTET_TYPES: dict[str, Values] = {
    "binary(1)": octets("00", "5c", "27", "", width=1),
    "binary(4)": octets("", "00", "61", "00ff5c27", "5c4e", "1a0a0d2c", width=4),
    "binary(255)": octets("", EVERY_BYTE[:510], width=255),
    "char(4) byte": octets("c328", "5c2e0a", width=4),
    "varbinary(300)": octets(*OCTETS),
    "tinyblob": octets(*OCTETS[:-1], EVERY_BYTE[:510]),
    "blob": octets(*OCTETS),
    "blob compressed": octets("", "00", EVERY_BYTE),
    "mediumblob": octets("", "5c4e", EVERY_BYTE)
    | {"repeat(x'00ff', 40000)": "\\x" + "00ff" * 40000},
    "longblob": octets("", "5c4e", EVERY_BYTE)
    | {"repeat(x'5c270a', 400000)": "\\x" + "5c270a" * 400000},
}


def shaped(*shapes: Shape) -> Values:
    """Geometries without an SRID, and with one."""
    # MySQL holds the coordinates of 4326 against the size of the earth
    srids = (0, 4326 if IS_MARIADB else 3857)
    return {shape.literal(srid): shape.octets(srid) for shape in shapes for srid in srids}


ORIGIN = point(0.0, 0.0)
PATH = line(ORIGIN, point(0.1, 1e-300))
RING = line(ORIGIN, point(9.0, 0.0), point(9.0, 9.0), ORIGIN)
HOLE = line(point(5.0, 1.0), point(6.0, 1.0), point(6.0, 2.0), point(5.0, 1.0))
NOTHING = {"st_geomfromtext('GEOMETRYCOLLECTION EMPTY')": "\\x00000000010700000000000000"}

SHAPE_TYPES: dict[str, Values] = {
    "point": shaped(ORIGIN, point(1.0, -2.5), point(1e300, 5e-324)),
    "linestring": shaped(PATH, RING),
    "polygon": shaped(polygon(RING), polygon(RING, HOLE)),
    "multipoint": shaped(multipoint(ORIGIN, point(3.0, 4.0))),
    "multilinestring": shaped(multi(PATH, HOLE)),
    "multipolygon": shaped(multi(polygon(RING), polygon(RING, HOLE))),
    "geometrycollection": shaped(collection(ORIGIN, PATH, polygon(RING))) | NOTHING,
    "geometry": shaped(ORIGIN, PATH, polygon(RING, HOLE), collection(multipoint(ORIGIN))),
}

ONLY_MARIADB = {
    *("decimal(38,38)", "varchar(60) compressed", "blob compressed", "uuid", "inet4", "inet6"),
}
CELLS = {
    "numbers": NUMBERS,
    "moments": MOMENTS,
    "texts": TEXT_TYPES,
    "octets": OCTET_TYPES,
    "shapes": SHAPE_TYPES,
}
"""Every type with its values, in the tables that the tests make of them."""
if not IS_MARIADB:
    CELLS = {
        name: {kind: values for kind, values in types.items() if kind not in ONLY_MARIADB}
        for name, types in CELLS.items()
    }
    # MySQL's TIME and TIMESTAMP end at a whole second
    for kind, beyond in (
        ("time(1)", ("838:59:59.9", "-838:59:59.9")),
        ("time(3)", ("-838:59:59.999",)),
        ("time(6)", ("838:59:59.999999", "-838:59:59.999999")),
        ("timestamp(6) null", ("1970-01-01 00:00:00.000001",)),
    ):
        for text in beyond:
            del CELLS["moments"][kind][f"'{text}'"]
    # MySQL keeps what a document means, and writes it in its own way
    CELLS["texts"]["json"] = {
        **quoted("{}", "[]", "null", "true", '"NULL"', '""', "0.1", "[[[[[]]]]]", '"😀"', "-1"),
        """'{"b":2,  "a":1, "a": [null]}'""": '{"a": [null], "b": 2}',
        "'1e3'": "1000.0",
        "'18446744073709551615'": "18446744073709551615",
        r"""'"\\u0041\\n\\""'""": r'"A\n\""',
        "json_object('d', cast('2024-02-29' as date))": '{"d": "2024-02-29"}',
        "json_object('n', cast('12.50' as decimal(9,2)))": '{"n": 12.50}',
    }

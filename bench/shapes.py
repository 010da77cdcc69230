"""The shapes of table that a first load is measured with; their rows are computed from a number."""

from dataclasses import dataclass
from functools import cached_property

ROWS_PER_INSERT = 500_000
BYTES_PER_INSERT = 100_000_000


@dataclass(frozen=True)
class ShapeColumn:
    """A column: its definition at the source, its type in the warehouse, its value in row `seq`."""

    name: str
    source_type: str
    warehouse_type: str
    value: str

    @property
    def source_text(self) -> str:
        """Its text for the sum that both servers compute."""
        return f"hex({self.name})" if self.warehouse_type == "bytea" else self.name

    @property
    def warehouse_text(self) -> str:
        if self.warehouse_type == "bytea":
            return f"upper(encode({self.name}, 'hex'))"
        if self.warehouse_type == "timestamp":
            return f"to_char({self.name}, 'YYYY-MM-DD HH24:MI:SS')"
        return self.name

    @property
    def piped(self) -> str:
        """What the raw pipe reads: a value that COPY takes as it is."""
        return f"concat('\\\\x', hex({self.name}))" if self.warehouse_type == "bytea" else self.name


@dataclass(frozen=True)
class Shape:
    """A table of a shape. `rows` is how many are loaded if nothing else is asked for."""

    name: str
    title: str
    rows: int
    columns: tuple[ShapeColumn, ...]
    key: tuple[str, ...] = ("id",)
    row_bytes: int = 100
    charset: str = "utf8mb4"

    @cached_property
    def definition(self) -> str:
        """The statement that creates it at the source."""
        columns = ", ".join(f"{column.name} {column.source_type}" for column in self.columns)
        return (
            f"create table {self.name} ({columns}, primary key ({', '.join(self.key)}))"
            f" character set {self.charset}"
        )

    def inserts(self, rows: int) -> list[str]:
        """The statements that fill it."""
        size = max(1, min(ROWS_PER_INSERT, BYTES_PER_INSERT // self.row_bytes))
        values = ", ".join(f"{column.value} as {column.name}" for column in self.columns)
        order = ", ".join(self.key)
        return [
            f"insert into {self.name} select {values} from seq_{start}_to_{end} order by {order}"
            for start in range(1, rows + 1, size)
            for end in [min(start + size - 1, rows)]
        ]

    @cached_property
    def raw_table(self) -> str:
        """The statement that creates it in the warehouse, for the raw pipe."""
        columns = ", ".join(f"{column.name} {column.warehouse_type}" for column in self.columns)
        key = ", ".join(self.key)
        return f"create table public.{self.name} ({columns}, primary key ({key}))"

    @cached_property
    def source_sum(self) -> str:
        """The source's query for the number of rows, and a sum over all their values."""
        texts = ", ".join(column.source_text for column in self.columns)
        text = f"convert(concat_ws('|', {texts}) using utf8mb4)"
        return f"select count(*), sum(crc32({text})) from {self.name}"

    def warehouse_sum(self, relation: str) -> str:
        """The same query for the relation of the warehouse."""
        texts = ", ".join(column.warehouse_text for column in self.columns)
        return (
            f"select count(*), sum(crc32(convert_to(concat_ws('|', {texts}), 'UTF8')))"
            f" from {relation}"
        )


def _octets(count: int) -> str:
    """So many random bytes, a multiple of 32, as hexadecimal digits."""
    return f"concat({', '.join(f'sha2(seq * 1000 + {n}, 256)' for n in range(count // 32))})"


def _prose(count: int) -> str:
    """About so many characters, half of them random."""
    words = " the quick brown fox jumps over the lazy dog, as everybody knows "
    pieces = (f"sha2(seq * 1000 + {n}, 256), '{words}'" for n in range(count // (64 + len(words))))
    return f"concat({', '.join(pieces)})"


ID = ShapeColumn("id", "bigint not null auto_increment", "bigint", "seq")
STAMP = ShapeColumn(
    "updated_at", "datetime not null", "timestamp", "'2021-01-01' + interval seq second"
)
_PATH = "concat('/bucket/', md5(seq), '/', seq, '.jpg')"
_REST = (
    ShapeColumn("format", "varchar(10) not null", "text", "elt(1 + seq % 3, 'jpg', 'mp4', 'gif')"),
    ShapeColumn("type", "tinyint not null", "smallint", "seq % 3"),
    STAMP,
)
_SMALL = (
    ShapeColumn("v", "varchar(20) not null", "text", "concat('value ', seq)"),
    ShapeColumn("n", "int not null", "integer", "seq"),
    STAMP,
)
MEDIA = Shape(
    "media",
    "five short columns",
    5_000_000,
    (ID, ShapeColumn("s3_path", "varchar(200) not null", "text", _PATH), *_REST),
)
SHAPES = {
    shape.name: shape
    for shape in (
        MEDIA,
        Shape(
            "latin1",
            "the same in latin1, with accents",
            5_000_000,
            (
                ID,
                ShapeColumn(
                    "s3_path", "varchar(200) not null", "text", f"concat({_PATH}, ' déjà vu')"
                ),
                *_REST,
            ),
            charset="latin1",
        ),
        Shape(
            "wide",
            "30 columns",
            1_000_000,
            (
                ID,
                *(ShapeColumn(f"i{n}", "int", "integer", f"seq * {n}") for n in range(1, 10)),
                *(
                    ShapeColumn(f"d{n}", "decimal(12,2)", "numeric(12,2)", f"seq * {n} / 100")
                    for n in range(1, 6)
                ),
                *(
                    ShapeColumn(f"t{n}", "varchar(50)", "text", f"concat('text {n} of ', seq)")
                    for n in range(1, 9)
                ),
                *(
                    ShapeColumn(
                        f"day{n}", "date", "date", f"'2020-01-{n:02}' + interval seq % 999 day"
                    )
                    for n in range(1, 4)
                ),
                *(
                    ShapeColumn(
                        f"at{n}", "datetime", "timestamp", f"'2020-01-{n:02}' + interval seq second"
                    )
                    for n in range(1, 4)
                ),
                STAMP,
            ),
            row_bytes=400,
        ),
        Shape(
            "int_varchar",
            "small rows, key (int, varchar)",
            3_000_000,
            (
                ShapeColumn("a", "int not null", "integer", "seq % 1000"),
                ShapeColumn("b", "varchar(20) not null", "text", "concat('item-', seq)"),
                *_SMALL,
            ),
            key=("a", "b"),
        ),
        Shape(
            "uuid",
            "small rows, a UUID as the key",
            3_000_000,
            (
                ShapeColumn(
                    "id",
                    "char(36) not null",
                    "text",
                    "insert(left(sha2(seq, 256), 35), 9, 0, '-')",
                ),
                *_SMALL,
            ),
        ),
        Shape(
            "texts",
            "texts of 20 KB",
            30_000,
            (ID, ShapeColumn("body", "mediumtext not null", "text", _prose(20_000)), STAMP),
            row_bytes=20_000,
        ),
        Shape(
            "blobs",
            "blobs of 2 KB, key binary(16)",
            200_000,
            (
                ShapeColumn(
                    "id", "binary(16) not null", "bytea", "unhex(left(sha2(seq, 256), 32))"
                ),
                ShapeColumn("body", "blob not null", "bytea", f"unhex({_octets(2048)})"),
                STAMP,
            ),
            row_bytes=2_100,
        ),
    )
}
"""Every shape, by its name."""

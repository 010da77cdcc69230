"""Binary values, which are part of a row's digest by their own digest if they are long."""

import struct

import pymysql
import pytest

from extract.column import LONG_OCTETS
from tests.sources.choice import IS_MARIADB
from tests.support.mirror import Mirror, Query, verified
from tests.support.servers import OperationalDatabase


@pytest.mark.parametrize("kind", ["varbinary(300)", "longblob not null", "linestring"])
@pytest.mark.parametrize("octets", [LONG_OCTETS, LONG_OCTETS + 1, LONG_OCTETS + 40])
def test_each_byte_of_a_binary_value_is_compared(
    operational: OperationalDatabase, mirror: Mirror, query: Query, kind: str, octets: int
) -> None:
    operational.execute(f"create table items (id int primary key, v {kind}, w blob)")
    # bytes that no text has, or a line of as many points as they have room for
    points = ", ".join(f"{number} {number}" for number in range((octets - 13) // 16 + 1))
    value = (
        f"st_geomfromtext('linestring({points})')"
        if kind == "linestring"
        else f"repeat(x'00ff5c27', {octets // 4 + 1})"
    )
    cut = value if kind == "linestring" else f"left({value}, {octets})"
    operational.execute(f"insert into items values (1, {cut}, null), (2, {cut}, x'23')")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    assert verified(mirror, table).is_equal
    for plant in (
        "v = set_byte(v, octet_length(v) - 1, get_byte(v, octet_length(v) - 1) # 1)",
        "v = v || '\\x00'",
        "v = substr(v, 1, octet_length(v) - 1)",
        "v = convert_to('#' || encode(sha256(v), 'hex'), 'UTF8')",
        "v = ''",
        "w = ''",
    ):
        query(f"update mrr.items set {plant} where id = 1")
        assert verified(mirror, table).differences == ['{"id": 1}'], plant
        assert mirror.extract_one(table).verification.repaired_rows == 1


@pytest.mark.parametrize("dimensions", [3, 100])
def test_a_vector_is_its_bytes(
    operational: OperationalDatabase, mirror: Mirror, query: Query, dimensions: int
) -> None:
    """The bytes of a VECTOR of 100 numbers are long."""
    made = "vec_fromtext" if IS_MARIADB else "string_to_vector"
    numbers = [1.0, 2.0, -0.5, *[0.25] * (dimensions - 3)]
    try:
        operational.execute(f"create table items (id int primary key, v vector({dimensions}))")
    except pymysql.err.Error as error:
        pytest.skip(f"this server has no VECTOR: {error}")
    operational.execute("insert into items values (1, null)")
    operational.execute(f"insert into items values (2, {made}('{numbers}'))")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    assert query("select id, encode(v, 'hex') from mrr.items") == [
        (1, None),
        (2, struct.pack(f"<{dimensions}f", *numbers).hex()),
    ]
    numbers[1] = 3.0
    operational.execute(f"update items set v = {made}('{numbers}') where id = 2")
    outcome = mirror.extract_one(table)
    assert (outcome.applied.rows, outcome.verification.is_equal) == (1, True)
    assert query("select encode(v, 'hex') from mrr.items where id = 2") == [
        (struct.pack(f"<{dimensions}f", *numbers).hex(),)
    ]
